{{ config(enabled=target.name != 'remote') }}
-- depends_on: {{ ref('published') }}
select * from rasteret_validate('{{ var("published") }}', bands := ['B04'])
