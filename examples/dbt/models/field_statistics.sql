-- The mean of each field in each file, weighted by exact coverage. Incremental runs only read the pixels of new records, of changed files
-- and of changed outlines. Size and date are compared too, because local files and some servers have no entity tags. Rows of removed
-- fields and records are deleted.
{{ config(
    materialized='incremental', unique_key=['id', 'field'], incremental_strategy='delete+insert',
    post_hook="delete from {{ this }} where (id, field) not in (select (id, field) from {{ ref('tile_plan') }})"
) }}

select id, field, outline, etag, file_size, last_modified, statistics.count as pixels, statistics.mean as mean
from (
    select
        p.id,
        p.field,
        md5(f.geometry) as outline,
        i.B04_metadata.etag as etag,
        i.B04_metadata.file_size as file_size,
        i.B04_metadata.last_modified as last_modified,
        cog_zonal_stats(p.href, i.B04_metadata, f.geometry) as statistics
    from {{ ref('tile_plan') }} p
    join {{ ref('collection') }} i using (id)
    join {{ ref('fields') }} f using (field)
    {%- if is_incremental() %}
    where not exists (
        select 1 from {{ this }} t
        where t.id = p.id and t.field = p.field and t.outline = md5(f.geometry)
            and t.etag is not distinct from i.B04_metadata.etag
            and t.file_size is not distinct from i.B04_metadata.file_size
            and t.last_modified is not distinct from i.B04_metadata.last_modified
    )
    {%- endif %}
)
