(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";

  function made(tag, parent, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    parent.append(node);
    return node;
  }

  function button(parent, sign, name, act) {
    const node = made("button", parent, "", sign);
    node.type = "button";
    node.title = name;
    node.setAttribute("aria-label", name);
    node.addEventListener("click", act);
    return node;
  }

  // Boxes at their places, arrows through their ways: from left to right, or down where it is narrow.
  function drawn(tape, view, narrow) {
    const wide = narrow ? 108 : 138, high = 64;
    const across = narrow ? wide + 10 : wide + 50, along = narrow ? high + 34 : high + 14;
    const rows = [...tape.boxes.map(b => b.at), ...tape.arrows.flatMap(a => a.way)].map(p => p[1]);
    const top = Math.min(...rows);
    const place = ([column, row]) => narrow
      ? [(row - top) * across, column * along] : [column * across, (row - top) * along];
    const graph = made("div", view, "graph");
    const svg = document.createElementNS(SVG, "svg");
    graph.append(svg);
    const ends = tape.boxes.map(box => place(box.at));
    const size = [0, 1].map(i => Math.max(...ends.map(end => end[i])) + (i ? high : wide) + 4);
    for (const arrow of tape.arrows) {
      for (const point of arrow.way.map(place)) size[0] = Math.max(size[0], point[0] + wide);
    }
    graph.style.width = `${size[0]}px`;
    graph.style.height = `${size[1]}px`;
    svg.setAttribute("width", size[0]);
    svg.setAttribute("height", size[1]);
    const uses = tape.boxes.map((_, i) => tape.arrows.filter(a => a.to === i));
    const paths = tape.arrows.map(arrow => {
      const [from, to] = [ends[arrow.from], ends[arrow.to]], mine = uses[arrow.to];
      const share = (mine.indexOf(arrow) + 1) / (mine.length + 1);
      const points = narrow
        ? [[from[0] + wide / 2, from[1] + high],
          ...arrow.way.map(place).flatMap(([x, y]) => [[x + wide / 2, y], [x + wide / 2, y + high]]),
          [to[0] + wide * share, to[1]]]
        : [[from[0] + wide, from[1] + high / 2],
          ...arrow.way.map(place).flatMap(([x, y]) => [[x, y + high / 2], [x + wide, y + high / 2]]),
          [to[0], to[1] + high * share]];
      let d = `M${points[0]}`;
      for (let i = 1; i < points.length; i++) {
        const [a, b] = [points[i - 1], points[i]];
        const middle = narrow ? (a[1] + b[1]) / 2 : (a[0] + b[0]) / 2;
        d += narrow ? `C${a[0]},${middle} ${b[0]},${middle} ${b}`
          : `C${middle},${a[1]} ${middle},${b[1]} ${b}`;
      }
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", d);
      svg.append(path);
      return path;
    });
    const boxes = tape.boxes.map((box, i) => {
      const node = made("div", graph, box.operation ? "box" : "box leaf");
      Object.assign(node.style, {
        left: `${ends[i][0]}px`, top: `${ends[i][1]}px`, width: `${wide}px`, height: `${high}px`,
      });
      node.title = `${box.name}: ${box.operation || "leaf"}, ${box.form}`;
      const name = made("div", node, "name", box.name);
      made("span", name, "op", ` ${box.operation}`);
      return { node, value: made("div", node, "num"), grad: made("div", node, "num") };
    });
    return { graph, paths, boxes };
  }

  function play(host) {
    host.dataset.ready = "yes";
    const tape = JSON.parse(host.dataset.tape), last = tape.steps.length - 1;
    const table = host.querySelector("table");
    const stage = document.createElement("div");
    host.prepend(stage);
    stage.dataset.lmSuppressShortcuts = "true";  // JupyterLab: the keys are ours
    const root = stage.attachShadow({ mode: "open" });
    made("style", root, "", host.dataset.style);
    const all = made("div", root, "tape");
    all.setAttribute("role", "group");
    all.setAttribute("aria-label", "Forward and backward, step by step");
    const bar = made("div", all, "bar");
    const first = button(bar, "|◀", "First step", () => stop(0));
    const back = button(bar, "◀", "One step back", () => stop(now - 1));
    const on = button(bar, "▶", "One step on", () => stop(now + 1));
    const end = button(bar, "▶|", "Last step", () => stop(last));
    const run = button(bar, "Play", "Play all steps", () => timer ? stop(now) : start());
    const slider = made("input", bar);
    Object.assign(slider, { type: "range", min: 0, max: last, value: 0 });
    slider.setAttribute("aria-label", "Step");
    slider.addEventListener("input", () => stop(Number(slider.value)));
    const count = made("span", bar, "count");
    const said = made("div", all, "said");
    said.setAttribute("aria-live", "polite");
    const view = made("div", all, "view");
    view.tabIndex = 0;
    view.setAttribute("role", "img");
    view.setAttribute("aria-label", "The graph; the table of all steps says the same in words");
    let now = 0, timer = 0, narrow = null, picture = null;

    function start() {
      if (now === last) show(0);
      run.textContent = "Pause";
      timer = setInterval(() => now < last ? show(now + 1) : stop(last), 1600);
    }

    function stop(step) {
      clearInterval(timer);
      timer = 0;
      run.textContent = "Play";
      show(step);
    }

    function show(step) {
      now = Math.min(Math.max(step, 0), last);
      const { phase, title, lines, box, arrows } = tape.steps[now];
      all.className = `tape ${phase}`;
      slider.value = now;
      slider.setAttribute("aria-valuetext", `${now + 1} of ${last + 1}: ${title}`);
      count.textContent = `Step ${now + 1} of ${last + 1}, ${phase}`;
      first.disabled = back.disabled = now === 0;
      on.disabled = end.disabled = now === last;
      said.replaceChildren();
      made("p", said, "phase", phase);
      made("b", made("p", said), "", title);
      for (const line of lines) made("p", said, "line", line);
      const values = {}, gradients = {};
      for (const past of tape.steps.slice(0, now + 1)) {
        Object.assign(values, past.values);
        Object.assign(gradients, past.gradients);
      }
      picture.boxes.forEach((drawn, i) => {
        drawn.node.classList.toggle("on", i === box);
        drawn.value.textContent = i in values ? values[i] : "";
        drawn.grad.textContent = i in gradients ? `grad ${gradients[i]}` : "";
      });
      picture.paths.forEach((path, i) => path.classList.toggle("on", arrows.includes(i)));
      const left = box === null ? 0 : picture.boxes[box].node.offsetLeft - view.clientWidth / 2;
      view.scrollLeft = left + (box === null ? 0 : picture.boxes[box].node.offsetWidth / 2);
    }

    function fit() {
      const small = host.clientWidth > 0 && host.clientWidth < 560;
      if (small === narrow) return;
      narrow = small;
      picture?.graph.remove();
      picture = drawn(tape, view, narrow);
      show(now);
    }

    const keys = {
      ArrowRight: () => stop(now + 1), ArrowLeft: () => stop(now - 1),
      Home: () => stop(0), End: () => stop(last),
    };
    all.addEventListener("keydown", event => {
      const act = event.target === slider || event.ctrlKey || event.altKey || event.metaKey
        ? null : keys[event.key];
      if (act) {
        act();
        event.preventDefault();
        event.stopPropagation();
      }
    });
    if (table) {
      const more = document.createElement("details");
      made("summary", more, "", "All steps as a table");
      table.replaceWith(more);
      more.append(table);
    }
    fit();
    new ResizeObserver(fit).observe(host);
  }

  for (const host of document.querySelectorAll(".mg-player[data-tape]:not([data-ready])")) play(host);
})();
