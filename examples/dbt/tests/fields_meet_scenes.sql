-- Fields without statistics: outside all scenes, or with swapped longitude and latitude. All other tests pass if a model has no rows.
select f.field
from {{ ref('fields') }} f
where not exists (select 1 from {{ ref('field_statistics') }} s where s.field = f.field and s.pixels > 0)
union all
select 'no field at all' where not exists (select 1 from {{ ref('fields') }})
