-- The records of the catalog without duplicates: catalogs repeat records if their pages shift while they are read.
{{ config(materialized='view', enabled=target.name != 'remote') }}

select * from read_parquet('{{ var("items") }}')
qualify row_number() over (partition by id order by datetime desc) = 1
