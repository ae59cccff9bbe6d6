// Files of the page are saved one by one or as one ZIP; the section in view is marked in the menu.
(() => {
  "use strict";
  const source = document.getElementById("file-data");
  const files = source ? JSON.parse(source.textContent) : {};

  const unpacked = async (name) => {
    const packed = Uint8Array.from(atob(files[name]), (sign) => sign.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const save = (name, parts) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts));
    link.download = name.split("/").pop();
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    return value;
  });
  const checksum = (bytes) => {
    let value = 0xffffffff;
    for (const byte of bytes) value = (value >>> 8) ^ CRC[(value ^ byte) & 255];
    return (value ^ 0xffffffff) >>> 0;
  };
  // A header of a ZIP archive: pairs of a number and its size in bytes.
  const packedHeader = (fields) => {
    const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, size]) => sum + size, 0)));
    let at = 0;
    for (const [value, size] of fields) {
      if (size === 4) view.setUint32(at, value, true);
      else view.setUint16(at, value, true);
      at += size;
    }
    return new Uint8Array(view.buffer);
  };
  const zipped = async () => {
    const parts = [], directory = [];
    let offset = 0, listed = 0;
    for (const name of Object.keys(files)) {
      const body = await unpacked(name), title = new TextEncoder().encode(name);
      // version, flags (UTF-8), stored, time, date (1980-01-01), CRC, sizes, length of the name
      const shared = [[20, 2], [0x800, 2], [0, 2], [0, 2], [33, 2], [checksum(body), 4],
        [body.length, 4], [body.length, 4], [title.length, 2], [0, 2]];
      const local = packedHeader([[0x04034b50, 4], ...shared]);
      const central = packedHeader([[0x02014b50, 4], [20, 2], ...shared, [0, 2], [0, 2], [0, 2],
        [0, 4], [offset, 4]]);
      parts.push(local, title, body);
      directory.push(central, title);
      offset += local.length + title.length + body.length;
      listed += central.length + title.length;
    }
    const count = Object.keys(files).length;
    const end = packedHeader([[0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2],
      [listed, 4], [offset, 4], [0, 2]]);
    return [...parts, ...directory, end];
  };

  if (typeof DecompressionStream !== "undefined") {
    for (const place of document.querySelectorAll(".downloads")) place.hidden = false;
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-file], [data-all]");
    if (!button) return;
    const { file, all } = button.dataset;
    if (all) save(all, await zipped());
    else save(file, [await unpacked(file)]);
  });

  const bar = document.querySelector("nav.sections");
  if (!bar || typeof IntersectionObserver === "undefined") return;
  const links = new Map([...bar.querySelectorAll("a[href^='#']")]
    .map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) seen.add(target.id);
      else seen.delete(target.id);
    }
    const current = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) {
      if (id !== current) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        const [inner, outer] = [link.getBoundingClientRect(), bar.getBoundingClientRect()];
        if (inner.left < outer.left || inner.right > outer.right) {
          bar.scrollTo({ left: bar.scrollLeft + inner.left - outer.left - 16 });
        }
      }
    }
  }, { rootMargin: "-80px 0px -55% 0px" });
  for (const id of links.keys()) {
    const section = document.getElementById(id);
    if (section) watch.observe(section);
  }
})();
