-- The catalogue's records, one each: catalogues repeat records whose pages shift while they are read.
{{ config(materialized='view') }}

select * from read_parquet('{{ var("items") }}')
qualify row_number() over (partition by id order by datetime desc) = 1
