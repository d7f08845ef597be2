-- The scenes of the index. Their sides are parts of the map, from its corner in the north-west.
CREATE TABLE scenes AS
SELECT *, (box.xmin + 180) / 360 AS west, (box.xmax + 180) / 360 AS east,
    0.5 - asinh(tan(radians(box.ymax))) / (2 * pi()) AS north, 0.5 - asinh(tan(radians(box.ymin))) / (2 * pi()) AS south
FROM (
    SELECT row_number() OVER (ORDER BY id) AS scene, id, assets.{band}.href AS href, {metadata} AS metadata,
        cog_bounds({metadata}, 'OGC:CRS84') AS box
    FROM read_parquet(getvariable('index')) WHERE {metadata} IS NOT NULL
);

-- All scenes that meet a tile: in each pixel, the first one with a valid value. West is greater than east across the antimeridian.
CREATE MACRO tile(z, x, y, style) AS (
    SELECT cog_map_tile(list({{href: href, metadata: metadata}} ORDER BY scene), z, x, y, style)
    FROM scenes
    WHERE (west > east OR (west * 2.0 ** z < x + 1 AND east * 2.0 ** z > x))
        AND north * 2.0 ** z < y + 1 AND south * 2.0 ** z > y
);
