-- The index. Incremental runs only fetch the headers of new records, of records whose headers could not be read last time, and, with
-- `--vars 'refresh: true'`, of records with a changed file. The target `remote` reads an index that is published at a URL.
{%- if target.name == 'remote' %}
{{ config(materialized='view') }}

select * from read_parquet('{{ env_var("RASTERET_INDEX") }}')
{%- else %}
{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}

{%- set records -%}
select * from {{ ref('stg_items') }}
{%- if is_incremental() %}
where id not in (select id from {{ this }} where rasteret_error is null)
{%- if var('refresh') %}
or assets.B04.href in (select href from rasteret_refresh('{{ var("published") }}') where status = 'changed')
{%- endif %}
{%- endif %}
{%- endset %}

select * from query(rasteret_enrich_sql($records${{ records }}$records$, ['B04']))
{%- endif %}
