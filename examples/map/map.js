// Shows the tiles and footprints of the scenes. A click on a name moves the map to its scene; `?scene=1` opens the map at a scene.

import { Map, NavigationControl, ScaleControl } from "./maplibre-gl.mjs";

const map = new Map({
  container: "map",
  style: { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: { "background-color": "#e8ecef" } }] },
  fadeDuration: 0,
});
map.addControl(new NavigationControl());
map.addControl(new ScaleControl());

function outline([west, south, east, north]) {
  return [[west, south], [east, south], [east, north], [west, north], [west, south]];
}

function show(scene) {
  const [west, south, east, north] = scene.bounds;
  map.fitBounds([[west, south], [east, north]], { padding: 60, animate: false });
}

function add(scenes) {
  const features = scenes.map((scene) => ({
    type: "Feature",
    properties: { id: scene.id },
    geometry: { type: "Polygon", coordinates: [outline(scene.bounds)] },
  }));
  map.addSource("scenes", { type: "raster", tiles: [`${location.origin}/tiles/{z}/{x}/{y}.png`], tileSize: 256 });
  map.addLayer({ id: "scenes", type: "raster", source: "scenes" });
  map.addSource("footprints", { type: "geojson", data: { type: "FeatureCollection", features } });
  map.addLayer({ id: "footprints", type: "line", source: "footprints", paint: { "line-color": "#d1495b", "line-width": 1.5 } });
  const list = document.getElementById("scenes");
  for (const scene of scenes) {
    const button = document.createElement("button");
    button.textContent = scene.id;
    button.addEventListener("click", () => show(scene));
    list.append(button);
  }
  const wanted = new URLSearchParams(location.search).get("scene");
  show(scenes.find(({ scene }) => String(scene) === wanted) ?? scenes[0]);
  map.once("idle", () => { document.title = "ready"; });
}

map.on("load", async () => {
  const response = await fetch("scenes.json");
  add(await response.json());
});
