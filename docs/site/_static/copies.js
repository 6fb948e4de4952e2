// The notebooks that a reader has changed in JupyterLite: to keep as files, or to put back.
(() => {
  "use strict";
  const place = document.getElementById("copies"), said = document.getElementById("copies-said");
  // JupyterLite's database has the name of its own address.
  const lite = new URL("lite/", location.href).pathname;

  function done(request) {
    return new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  }

  async function stores() {
    const all = await indexedDB.databases();
    const ours = all.filter(db => db.name?.startsWith("JupyterLite Storage") &&
      db.name.endsWith(lite));
    return Promise.all(ours.map(db => done(indexedDB.open(db.name))));
  }

  async function notebooks() {
    const found = [];
    for (const db of await stores()) {
      if (!db.objectStoreNames.contains("files")) continue;
      const files = db.transaction("files").objectStore("files");
      const [keys, models] = await Promise.all([done(files.getAllKeys()), done(files.getAll())]);
      models.forEach((model, i) => {
        if (model?.type === "notebook" && model.content) found.push({ db, key: keys[i], model });
      });
    }
    return found.sort((a, b) => a.model.path.localeCompare(b.model.path));
  }

  function download({ model }) {
    const text = typeof model.content === "string"
      ? model.content : JSON.stringify(model.content, null, 1) + "\n";
    const url = URL.createObjectURL(new Blob([text], { type: "application/x-ipynb+json" }));
    const link = Object.assign(document.createElement("a"), { href: url, download: model.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
    said.textContent = `${model.name} is among your downloads.`;
  }

  async function reset({ db, key, model }) {
    if (!confirm(`Put ${model.name} back to how it came? What you wrote in it will be gone.`)) return;
    const names = ["files", "checkpoints"].filter(name => db.objectStoreNames.contains(name));
    const change = db.transaction(names, "readwrite");
    await Promise.all(names.map(name => done(change.objectStore(name).delete(key))));
    await show();
    said.textContent = `${model.name} is as it came. Close it in JupyterLite and open it again.`;
  }

  function button(text, name, act) {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    made.setAttribute("aria-label", `${text} ${name}`);
    made.addEventListener("click", act);
    return made;
  }

  async function show() {
    const list = await notebooks();
    place.replaceChildren(...list.map(one => {
      const item = document.createElement("li"), name = document.createElement("b");
      name.textContent = one.model.path;
      const when = document.createElement("span");
      when.textContent = `saved ${new Date(one.model.last_modified).toLocaleString()}`;
      item.append(name, when, button("Download", one.model.name, () => download(one)),
        button("Reset", one.model.name, () => reset(one)));
      return item;
    }));
    said.textContent = list.length ? "" : "No notebook has been changed in this browser yet.";
  }

  show().catch(error => {
    said.textContent = `This browser does not show what it keeps (${error.message}). In JupyterLite, ` +
      "File, Download keeps a notebook; deleting it in the list of files brings the original back.";
  });
})();
