// Shows a structure as shaded balls, sticks and polyhedra on a canvas, with the axes of its unit
// cell; rotated by pointer, touch or keys.
(() => {
  "use strict";
  const source = document.getElementById("structure-data");
  if (!source) return;
  const scenes = JSON.parse(source.textContent);
  const canvas = document.getElementById("structure-view");
  const choice = document.getElementById("structure");
  const legend = document.querySelector(".elements");
  const centers = document.getElementById("polyhedra");
  const facts = document.querySelector(".viewer .facts");
  const sites = document.querySelector(".viewer .sites .scroll");
  const AXES = { a: "#c8352f", b: "#2e8b3d", c: "#3567c8" };
  const context = canvas.getContext("2d");
  const START = multiply(turn(0, -0.35), turn(1, 0.5));
  let scene, rotation, zoom;

  // Rotation matrices by rows: about the x axis (0) or the y axis (1) of the screen.
  function turn(axis, angle) {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    return axis === 0 ? [[1, 0, 0], [0, c, -s], [0, s, c]] : [[c, 0, s], [0, 1, 0], [-s, 0, c]];
  }
  function multiply(a, b) {
    return a.map((row) => [0, 1, 2].map((j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)));
  }
  const apply = (m, v) => m.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);

  function show(index) {
    scene = scenes[index];
    rotation = START;
    zoom = 1;
    canvas.setAttribute("aria-label",
      `${scene.name}: ${scene.atoms.length} atoms, ${scene.bonds.length} bonds. `
      + "Arrow keys rotate, plus and minus zoom, 0 resets.");
    legend.replaceChildren(...scene.elements.map((element) => {
      const item = document.createElement("li");
      const dot = document.createElement("span");
      dot.style.background = `rgb(${element.color.join(",")})`;
      item.append(dot, element.symbol);
      return item;
    }));
    const kinds = [...new Set(scene.polyhedra.map(([kind]) => kind))];
    const kept = centers.value;
    centers.replaceChildren(new Option("none", ""),
      ...kinds.map((kind) => new Option(`of ${scene.elements[kind].symbol}`,
        scene.elements[kind].symbol)));
    if (kept) centers.value = kept;
    if (centers.selectedIndex < 0) centers.value = "";
    describe();
    draw();
  }

  function cell(kind, text) {
    const made = document.createElement(kind);
    made.textContent = text;
    return made;
  }

  function describe() {
    facts.replaceChildren(...scene.facts.lattice.map(([label, text]) => {
      const pair = document.createElement("div");
      pair.append(cell("dt", label), cell("dd", text));
      return pair;
    }));
    for (const button of document.querySelectorAll(".viewer [data-suffix]")) {
      button.dataset.file = scene.file + button.dataset.suffix;
    }
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const name of ["site", "element", "Wyckoff", "x", "y", "z", "neighbors", "mean distance (\u00c5)"]) {
      head.append(cell("th", name));
    }
    const body = table.createTBody();
    for (const row of scene.facts.sites) {
      const line = body.insertRow();
      for (const value of row) line.append(cell("td", value === null ? "-" : value));
    }
    sites.replaceChildren(table);
  }

  function corners() {
    const points = [];
    for (const i of [0, 1]) for (const j of [0, 1]) for (const k of [0, 1]) {
      points.push([0, 1, 2].map((axis) => scene.cell.reduce(
        (sum, vector, n) => sum + ([i, j, k][n] - 0.5) * vector[axis], 0)));
    }
    return points;
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = canvas.getBoundingClientRect();
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, width * ratio / 2, height * ratio / 2);
    const atoms = scene.atoms.map(([, ...place]) => apply(rotation, place));
    const box = corners().map((point) => apply(rotation, point));
    const reach = Math.max(...[...scene.atoms.map(([, ...p]) => p), ...corners()]
      .map((point) => Math.hypot(...point))) + 0.8;
    const scale = zoom * 0.5 * Math.min(width, height) / reach;
    // Far things are a little smaller: the eye of the reader is three radii away.
    const project = ([x, y, z]) => {
      const near = 3 * reach / (3 * reach - z);
      return { x: x * scale * near, y: -y * scale * near, size: scale * near };
    };
    const parts = [];
    for (const [i, [kind]] of scene.atoms.entries()) {
      const { color, radius } = scene.elements[kind];
      parts.push([atoms[i][2], () => ball(project(atoms[i]), radius, color, atoms[i][2] / reach)]);
    }
    for (const [i, j] of scene.bonds) {
      const middle = atoms[i].map((x, axis) => (x + atoms[j][axis]) / 2);
      for (const end of [i, j]) {
        const depth = (atoms[end][2] + middle[2]) / 2;
        const { color } = scene.elements[scene.atoms[end][0]];
        parts.push([depth - 0.01, () => stick(project(atoms[end]), project(middle), color)]);
      }
    }
    for (const [kind, corners, faces] of scene.polyhedra) {
      if (scene.elements[kind].symbol !== centers.value) continue;
      const turned = corners.map((corner) => apply(rotation, corner));
      for (const face of faces) {
        const points = face.map((corner) => turned[corner]);
        const depth = points.reduce((sum, point) => sum + point[2], 0) / 3;
        parts.push([depth, () => facet(points, scene.elements[kind].color)]);
      }
    }
    function facet(points, color) {
      const [p, q, r] = points;
      const [u, v] = [q, r].map((end) => end.map((x, axis) => x - p[axis]));
      const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0]];
      const light = 0.6 + 0.4 * Math.abs(normal[2]) / (Math.hypot(...normal) || 1);
      context.fillStyle = `rgba(${color.map((c) => Math.round(c * light)).join(",")},0.45)`;
      context.strokeStyle = `rgba(${color.map((c) => Math.round(0.6 * c)).join(",")},0.7)`;
      context.lineWidth = 0.7;
      context.beginPath();
      for (const point of points) {
        const { x, y } = project(point);
        context.lineTo(x, y);
      }
      context.closePath();
      context.fill();
      context.stroke();
    }
    for (let a = 0; a < 8; a += 1) for (const bit of [1, 2, 4]) {
      if (a & bit) continue;
      const b = a | bit;
      parts.push([(box[a][2] + box[b][2]) / 2, () => edge(project(box[a]), project(box[b]))]);
    }
    parts.sort((first, second) => first[0] - second[0]);
    for (const [, paint] of parts) paint();
    axes(width, height);
  }

  // The directions of the unit cell, in the lower left corner.
  function axes(width, height) {
    const from = { x: 44 - width / 2, y: height / 2 - 44 };
    const arrows = scene.unit.map((vector, n) => ["abc"[n],
      apply(rotation, vector.map((x) => x / Math.hypot(...vector)))]);
    arrows.sort(([, first], [, second]) => first[2] - second[2]);
    context.font = "italic 600 14px Georgia, serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [name, [x, y]] of arrows) {
      const to = { x: from.x + 28 * x, y: from.y - 28 * y };
      line(from, to, AXES[name], 2.4);
      const length = Math.hypot(x, y);
      if (length > 0.25) {
        const angle = Math.atan2(to.y - from.y, to.x - from.x);
        context.beginPath();
        for (const turned of [0, 2.5, -2.5]) {
          context.lineTo(to.x + 6 * Math.cos(angle + turned), to.y + 6 * Math.sin(angle + turned));
        }
        context.fillStyle = AXES[name];
        context.fill();
      }
      context.fillStyle = getComputedStyle(canvas).getPropertyValue("--ink");
      const far = length > 0.25 ? 13 / length : 0;
      context.fillText(name, to.x + (far ? far * x : 10), to.y - (far ? far * y : -10));
    }
  }

  function ball({ x, y, size }, radius, color, depth) {
    const r = radius * size;
    const shade = (factor) => `rgb(${color.map((c) => Math.min(255, c * factor)).join(",")})`;
    const light = 0.86 + 0.14 * depth;
    const gradient = context.createRadialGradient(x - 0.35 * r, y - 0.4 * r, 0.1 * r, x, y, r);
    gradient.addColorStop(0, `rgb(${color.map((c) => 255 - (255 - c) * 0.35).join(",")})`);
    gradient.addColorStop(0.45, shade(light));
    gradient.addColorStop(1, shade(0.55 * light));
    context.fillStyle = gradient;
    context.beginPath();
    context.arc(x, y, r, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = "rgba(20,25,32,0.55)";
    context.lineWidth = 0.8;
    context.stroke();
  }

  function line(from, to, style, width) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.lineCap = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
  }

  function stick(from, to, color) {
    line(from, to, "rgba(20,25,32,0.55)", 0.24 * from.size + 1.6);
    line(from, to, `rgb(${color.map((c) => 0.85 * c).join(",")})`, 0.24 * from.size);
  }

  function edge(from, to) {
    line(from, to, getComputedStyle(canvas).getPropertyValue("--muted"), 1);
  }

  function rotate(right, down) {
    rotation = multiply(multiply(turn(0, down), turn(1, right)), rotation);
    draw();
  }

  function along(name) {
    const axis = scene.unit["abc".indexOf(name)];
    const [x, y, z] = axis.map((value) => value / Math.hypot(...axis));
    rotation = multiply(turn(0, Math.atan2(y, Math.hypot(x, z))), turn(1, -Math.atan2(x, z)));
    draw();
  }

  function magnify(factor) {
    zoom = Math.min(8, Math.max(0.3, zoom * factor));
    draw();
  }

  for (const [index, { name }] of scenes.entries()) choice.add(new Option(name, index));
  choice.addEventListener("change", () => show(Number(choice.value)));
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) rotate(0.01 * event.movementX, 0.01 * event.movementY);
  });
  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15],
      ArrowDown: [0, 0.15] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (turns[event.key]) rotate(...turns[event.key]);
    else if (event.key === "+" || event.key === "=") magnify(1.25);
    else if (event.key === "-") magnify(0.8);
    else if (event.key === "0") show(Number(choice.value));
    else return;
    event.preventDefault();
  });
  centers.addEventListener("change", draw);
  document.getElementById("structure-image").addEventListener("click", () => {
    canvas.toBlob((picture) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(picture);
      link.download = `${scene.file.split("/").pop()}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
  });
  for (const button of document.querySelectorAll(".controls button")) {
    const { view, zoom: factor } = button.dataset;
    button.addEventListener("click", () => (view ? along(view) : magnify(Number(factor))));
  }
  new ResizeObserver(() => draw()).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());
  show(0);
})();
