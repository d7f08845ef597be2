-- The mean of each field and month over its scenes, which all count the same. A view: it reads statistics, no pixels.
select s.field, date_trunc('month', c.datetime)::date as month, count(*) as scenes, avg(s.mean) as mean
from {{ ref('field_statistics') }} s
join {{ ref('collection') }} c using (id)
group by all
order by all
