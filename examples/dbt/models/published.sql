-- The index as Parquet for other readers: sorted by location, in small row groups (docs/recipes.md).
{{ config(materialized='external', location=var('published'), format='parquet',
          options={'compression': 'zstd', 'row_group_size': 2048}, enabled=target.name != 'remote') }}

select * from {{ ref('collection') }}
where rasteret_error is null
order by floor(bbox.ymin), bbox.xmin, datetime
