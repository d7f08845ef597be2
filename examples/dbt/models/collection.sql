-- The index. A run after the first fetches the headers of new records alone, of those whose headers could not be read the last time,
-- and, with `--vars 'refresh: true'`, of those of which a file has changed.
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
