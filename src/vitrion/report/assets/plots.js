// Draws the figures with plotly.js: colors of the page's light or dark form, a legend of buttons,
// and zooming by keyboard.
(() => {
  "use strict";
  const { figures, palette } = JSON.parse(document.getElementById("figure-data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)");
  let printing = false;

  const color = (name, alpha = 1) => {
    const hex = palette[name][dark.matches && !printing ? 1 : 0];
    const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return `rgba(${parts.join(",")},${alpha})`;
  };
  // A copy with every "@name/alpha" made a color.
  const painted = (node) => {
    if (typeof node === "string" && node.startsWith("@")) {
      const [name, alpha] = node.slice(1).split("/");
      return color(name, alpha);
    }
    if (Array.isArray(node)) return typeof node[0] === "number" ? node : node.map(painted);
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, painted(value)]));
  };
  const styledAxis = (axis, automargin = true) => ({
    gridcolor: color("grid"), linecolor: color("muted"), zeroline: false, showline: true,
    ticks: "outside", tickcolor: color("muted"), automargin, ...axis,
    title: { standoff: 8, ...axis.title },
  });
  // Of axes with one scale, automatic margins change the ticks, which change the margins.
  const isMap = (layout) => Boolean(layout.yaxis.scaleanchor);
  const layoutOf = (layout, kept) => ({
    ...layout,
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: color("ink") },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: isMap(layout) ? { l: 54, r: 14, t: 20, b: 46 }
      : { l: 8, r: 14, t: layout.xaxis2 ? 8 : 20, b: 8 },
    xaxis: { ...styledAxis(layout.xaxis, !isMap(layout)), ...kept.xaxis },
    yaxis: { ...styledAxis(layout.yaxis, !isMap(layout)), ...kept.yaxis },
    ...(layout.xaxis2 && { xaxis2: styledAxis(layout.xaxis2) }),
    shapes: painted(layout.shapes), showlegend: false, barmode: "group", bargap: 0.35,
    dragmode: coarse.matches ? false : "zoom", hovermode: "closest",
    hoverlabel: { bgcolor: color("grid"), font: { color: color("ink") } },
  });
  const config = {
    responsive: true, displaylogo: false, scrollZoom: false,
    modeBarButtons: [["zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
    toImageButtonOptions: { format: "svg" },
  };

  class Chart {
    constructor(holder) {
      this.holder = holder;
      this.spec = figures[holder.dataset.figure][Number(holder.dataset.panel)];
      this.hidden = new Set();
      for (const trace of this.spec.data) {
        if (trace.visible === "legendonly") this.hidden.add(Chart.key(trace));
      }
      this.legend(holder.parentElement.querySelector(".legend"));
      holder.addEventListener("keydown", (event) => this.press(event));
      this.draw();
    }
    static key(trace) { return trace.legendgroup || trace.name; }
    draw() {
      const data = painted(this.spec.data).map((trace) => ({
        ...trace, visible: !this.hidden.has(Chart.key(trace)),
      }));
      Plotly.react(this.holder, data, layoutOf(this.spec.layout, this.kept()), config);
    }
    // The reader's zoom outlives a change of colors or of the curves shown.
    kept() {
      const now = this.holder.layout;
      if (!this.zoomed || !now) return {};
      return { xaxis: { range: now.xaxis.range }, yaxis: { range: now.yaxis.range } };
    }
    legend(place) {
      const named = this.spec.data.filter((trace) => trace.showlegend);
      for (const trace of named) {
        const button = document.createElement("button");
        const key = Chart.key(trace);
        button.type = "button";
        button.setAttribute("aria-pressed", String(!this.hidden.has(key)));
        button.append(swatch(trace), trace.meta);
        button.addEventListener("click", () => {
          if (!this.hidden.delete(key)) this.hidden.add(key);
          button.setAttribute("aria-pressed", String(!this.hidden.has(key)));
          this.draw();
        });
        place.append(button);
      }
    }
    press(event) {
      const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      const zooms = { "+": 0.8, "=": 0.8, "-": 1.25 };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "0") this.reset();
      else if (moves[event.key]) this.view(moves[event.key], 1);
      else if (zooms[event.key]) this.view([0, 0], zooms[event.key]);
      else return;
      event.preventDefault();
    }
    reset() {
      this.zoomed = false;
      const update = {};
      for (const name of ["xaxis", "yaxis"]) {
        const range = this.spec.layout[name].range;
        update[`${name}.autorange`] = !range;
        if (range) update[`${name}.range`] = [...range];
      }
      Plotly.relayout(this.holder, update);
    }
    view([right, up], factor) {
      this.zoomed = true;
      const update = {};
      for (const [name, step] of [["xaxis", right], ["yaxis", up]]) {
        const [low, high] = this.holder._fullLayout[name].range;
        const middle = (low + high) / 2 + (0.1 * step * (high - low));
        const half = (factor * (high - low)) / 2;
        update[`${name}.range`] = [middle - half, middle + half];
      }
      Plotly.relayout(this.holder, update);
    }
  }

  const SVG = "http://www.w3.org/2000/svg";
  // The line or the mark of a curve; its color is a variable of the page, so it follows the theme.
  function swatch(trace) {
    const image = document.createElementNS(SVG, "svg");
    image.setAttribute("viewBox", "0 0 26 12");
    image.setAttribute("aria-hidden", "true");
    const paint = String(trace.line?.color ?? trace.marker?.line?.color ?? trace.marker?.color);
    const stroke = `var(--${paint.slice(1).split("/")[0]})`;
    const add = (kind, attributes) => {
      const shape = document.createElementNS(SVG, kind);
      for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
      image.append(shape);
    };
    if (trace.mode === "lines") {
      const dashes = { dash: "7 4", dot: "2 3" }[trace.line.dash] ?? "none";
      add("line", { x1: 1, x2: 25, y1: 6, y2: 6, style: `stroke:${stroke}`, "stroke-width": 2.5,
        "stroke-dasharray": dashes });
    } else {
      const symbols = {
        diamond: "M13 1 L18 6 L13 11 L8 6 Z", square: "M9 2 H17 V10 H9 Z",
        star: "M13 0 L14.6 4.2 19 4.4 15.6 7.1 16.7 11.4 13 9 9.3 11.4 10.4 7.1 7 4.4 11.4 4.2 Z",
        "line-ew-open": "M6 2 H20 V4 H6 Z M13 11 L9 6 H17 Z",
      };
      const round = "M8 6 a5 5 0 1 0 10 0 a5 5 0 1 0 -10 0 Z";
      const path = trace.type === "bar" ? symbols.square : symbols[trace.marker.symbol] ?? round;
      add("path", { d: path, style: `fill:${stroke}` });
    }
    return image;
  }

  const charts = [...document.querySelectorAll(".plot")].map((holder) => new Chart(holder));
  for (const chart of charts) {
    chart.holder.on("plotly_relayout", (change) => {
      chart.zoomed = !Object.keys(change).some((key) => key.endsWith("autorange"));
    });
  }
  const redraw = () => charts.forEach((chart) => chart.draw());
  dark.addEventListener("change", redraw);
  addEventListener("beforeprint", () => { printing = true; redraw(); });
  addEventListener("afterprint", () => { printing = false; redraw(); });
})();
