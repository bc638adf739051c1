// The import wizard: what its pages do without a reload. All of it works without this too.
"use strict";

(() => {
    const LOOK_EVERY = 1000; // milliseconds between two looks at how far a worker is

    // Step 1: a file that is dropped, and how much of it is sent.

    function prepareUpload(form) {
        const input = form.querySelector("input[type=file]");
        const drop = form.querySelector("[data-drop]");
        const name = form.querySelector("[data-name]");
        const wrong = document.getElementById("file-error");
        // On its way down: Unfold's own listener looks for a text box of its file widget.
        form.addEventListener("change", (event) => {
            if (event.target !== input) return;
            event.stopPropagation();
            if (input.files.length) name.textContent = input.files[0].name;
            wrong.hidden = true;
        }, true);
        for (const type of ["dragenter", "dragover"]) {
            drop.addEventListener(type, (event) => {
                event.preventDefault();
                drop.classList.add("rg-over");
            });
        }
        for (const type of ["dragleave", "drop"]) drop.addEventListener(type, () => drop.classList.remove("rg-over"));
        drop.addEventListener("drop", (event) => {
            event.preventDefault();
            if (!event.dataTransfer.files.length) return;
            input.files = event.dataTransfer.files;
            input.dispatchEvent(new Event("change", { bubbles: true }));
        });
        form.addEventListener("submit", (event) => {
            if (!input.files.length) return; // the server says what is missing
            event.preventDefault();
            send(form, wrong);
        });
    }

    function send(form, wrong) {
        const box = document.getElementById("import-sending");
        const bar = box.querySelector("progress");
        const button = form.querySelector("button");
        box.hidden = false;
        button.disabled = true;
        box.querySelector("[role=status]").textContent = form.dataset.sending;
        const failed = () => {
            wrong.textContent = form.dataset.failed;
            wrong.hidden = false;
            box.hidden = true;
            button.disabled = false;
        };
        const request = new XMLHttpRequest();
        request.open("POST", form.action);
        request.responseType = "document";
        request.upload.addEventListener("progress", (event) => {
            if (event.lengthComputable) bar.value = (event.loaded * 100) / event.total;
        });
        request.addEventListener("error", failed);
        request.addEventListener("load", () => {
            if (request.responseURL && request.responseURL !== location.href) {
                location.assign(request.responseURL);
                return;
            }
            const said = request.response?.getElementById("file-error")?.textContent.trim();
            failed();
            if (said) wrong.textContent = said;
        });
        request.send(new FormData(form));
    }

    // Step 2: the name and type of a new field are asked where one is wanted.

    function prepareColumns(form) {
        form.classList.add("rg-scripted");
        form.addEventListener("change", (event) => {
            const row = event.target.matches("[data-target]") && event.target.closest("[data-column]");
            if (!row) return;
            const isNew = event.target.value === "new";
            row.classList.toggle("rg-left-out", !event.target.value);
            row.querySelector("[data-new]").toggleAttribute("data-unused", !isNew);
            if (isNew) row.querySelector("[data-new] input").select();
        });
    }

    // Step 3: a row is checked again in its place.

    async function correct(form) {
        const row = form.closest(".rg-row");
        form.setAttribute("aria-busy", "true");
        let answer;
        try {
            answer = await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
        } catch {
            answer = null;
        }
        const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
        const fresh = page?.getElementById(row.id);
        if (!fresh) {
            HTMLFormElement.prototype.submit.call(form); // the browser says what is wrong
            return;
        }
        row.replaceWith(fresh);
        for (const id of ["import-figures", "import-start"]) {
            const news = page.getElementById(id);
            if (news) document.getElementById(id)?.replaceWith(news);
        }
        (fresh.querySelector("[aria-invalid]") ?? fresh.querySelector("button")).focus({ preventScroll: true });
    }

    document.addEventListener("submit", (event) => {
        if (!event.target.matches("[data-correct]")) return;
        event.preventDefault();
        correct(event.target);
    });

    // How far a worker is.

    async function follow(box) {
        let state;
        try {
            const answer = await fetch(box.dataset.state, { credentials: "same-origin" });
            state = answer.ok && !answer.redirected ? await answer.json() : null;
        } catch {
            state = null; // the next look may get through
        }
        if (state && state.stage !== box.dataset.stage) {
            if (new URL(state.page, location.href).pathname === location.pathname) location.reload();
            else location.assign(state.page);
            return;
        }
        if (state) show(box, state);
        setTimeout(follow, LOOK_EVERY, box);
    }

    function show(box, state) {
        const bar = box.querySelector("[data-bar]");
        if (state.started) bar.value = state.percent;
        for (const name of ["says", "rows", "rate", "left", "failed"]) {
            const place = box.querySelector(`[data-${name}]`);
            if (place.textContent !== state[name]) place.textContent = state[name];
        }
        box.querySelector("[data-waits]").hidden = !state.waits;
    }

    document.addEventListener("DOMContentLoaded", () => {
        const upload = document.getElementById("import-upload");
        if (upload) prepareUpload(upload);
        const columns = document.getElementById("import-columns");
        if (columns) prepareColumns(columns);
        const progress = document.getElementById("import-progress");
        if (progress) setTimeout(follow, LOOK_EVERY, progress);
    });
})();
