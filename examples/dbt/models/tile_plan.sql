-- The byte ranges of each file that contain the pixels of each field, computed without reading any file.
select i.id, f.field, i.assets.B04.href as href, cog_tiles_for_geometry(i.B04_metadata, f.geometry) as tiles
from {{ ref('collection') }} i
join {{ ref('fields') }} f on i.rasteret_error is null
where len(cog_tiles_for_geometry(i.B04_metadata, f.geometry)) > 0
