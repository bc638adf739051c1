// The canvas on which a workflow is made.
//
// The document (the trigger and the steps, as JSON) is here; everything that is seen is drawn by the
// server: `draw` answers the cards of a draft, `panel` the form of one part of it. A part is named
// by its path, as everywhere: `trigger`, `steps.0.then.1`.
"use strict";

(() => {
    const TRIGGER = "trigger";
    const INDEX = /\.(\d+)$/;
    const DEEPEST_PAST = 100;

    /** The trigger and the steps, and what they were before. */
    class Draft {
        constructor(parts) {
            this.parts = parts;
            this.past = [];
            this.future = [];
            this.saved = this.text;
        }

        get text() {
            return JSON.stringify(this.parts);
        }

        get isSaved() {
            return this.text === this.saved;
        }

        /** Change the parts by `edit`, so that it can be taken back. */
        change(edit) {
            const before = this.text;
            const answer = edit(this.parts);
            if (this.text !== before) {
                this.past = [...this.past, before].slice(-DEEPEST_PAST);
                this.future = [];
            }
            return answer;
        }

        /** Go back, or forth again; whether there was somewhere to go. */
        travel(from, to) {
            if (!this[from].length) return false;
            this[to].push(this.text);
            this.parts = JSON.parse(this[from].pop());
            return true;
        }

        at(path) {
            return path.split(".").reduce((here, word) => here?.[word], this.parts);
        }

        /** The list in which the step of this path stands, the list's path, and its place there. */
        place(path) {
            const index = Number(path.match(INDEX)[1]);
            const list = path.replace(INDEX, "");
            return { list, index, steps: this.at(list) };
        }

        /** The list of this path, made where a branch has none yet. */
        list(path) {
            const name = path.split(".").pop();
            const owner = path === name ? this.parts : this.at(path.slice(0, -name.length - 1));
            owner[name] ??= [];
            return owner[name];
        }

        ids() {
            const found = new Set();
            each(this.parts.steps, (step) => found.add(step.id));
            return found;
        }

        /** A copy of a step, its own id and those within new where they are taken. */
        copied(step) {
            const taken = this.ids();
            const copy = structuredClone(step);
            each([copy], (one) => {
                if (!one.id || taken.has(one.id)) one.id = unused(one.type, taken);
                taken.add(one.id);
            });
            return copy;
        }
    }

    /** Call `visit` with every step of the list and of the branches within. */
    function each(steps, visit) {
        for (const step of Array.isArray(steps) ? steps : []) {
            visit(step);
            for (const inner of Object.values(step)) {
                if (Array.isArray(inner) && inner.some((one) => one?.type)) each(inner, visit);
            }
        }
    }

    /** As the server names steps that have no id: `send_email`, `send_email-2`. */
    function unused(type, taken) {
        let name = type;
        for (let number = 2; taken.has(name); number++) name = `${type}-${number}`;
        return name;
    }

    class Editor {
        constructor(root) {
            this.root = root;
            this.editable = "editable" in root.dataset;
            this.form = root.closest("form");
            this.canvas = root.querySelector("[data-canvas]");
            this.side = document.getElementById("wf-panel");
            this.inputs = {
                trigger: document.getElementById("id_trigger"),
                steps: document.getElementById("id_steps"),
            };
            this.draft = new Draft(this.read());
            // How many runs came to each step: told once, with the page.
            this.counts = new Map([...this.canvas.querySelectorAll(".wf-counts")].map((told) => [told.parentElement.querySelector(".wf-face").dataset.id, told]));
            this.open = null; // the path whose form is in the panel
            this.touched = false; // whether that form was changed
            this.cut = null;
            this.asked = 0;
            this.mended = "unsaved" in root.dataset; // shown again, because it was refused
            this.leaving = false;
            document.documentElement.classList.add("wf-live");
            this.listen();
            this.canvas.scrollLeft = (this.canvas.scrollWidth - this.canvas.clientWidth) / 2; // to the trigger
            if (this.editable && !this.draft.parts.trigger.type) this.choose(document.getElementById("wf-triggers"), (blank) => this.retrigger(blank));
        }

        read() {
            if (!this.editable) return JSON.parse(document.getElementById("wf-document").textContent);
            const parsed = (input, otherwise) => {
                try {
                    return JSON.parse(input.value) ?? otherwise;
                } catch {
                    return otherwise; // was typed without this script, and is no JSON
                }
            };
            return { trigger: parsed(this.inputs.trigger, {}), steps: parsed(this.inputs.steps, []) };
        }

        // Asking the server

        async ask(url, fields) {
            const body = new FormData();
            body.set("document", this.draft.text);
            body.set("workflow", this.root.dataset.workflow);
            for (const [name, value] of fields) body.append(name, value);
            const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
            const trouble = this.root.querySelector("[data-trouble]");
            try {
                const answer = await fetch(url, { method: "POST", body, headers: { "X-CSRFToken": token } });
                if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
                trouble.hidden = true;
                return answer;
            } catch (error) {
                trouble.textContent = this.root.dataset.failed;
                trouble.hidden = false;
                throw error;
            }
        }

        /** Draw the draft anew; then the card of `path` has the focus. */
        async draw(path) {
            const asked = ++this.asked;
            const before = document.activeElement;
            this.write();
            const answer = await this.ask(this.root.dataset.draw, []);
            const html = await answer.text();
            if (asked !== this.asked) return; // there is a newer draft
            const here = document.activeElement;
            const moved = here !== before && this.canvas.contains(here); // while the server drew
            this.canvas.innerHTML = html;
            this.mark();
            this.focus(moved ? here.dataset.path : path);
        }

        /** Put the draft where the form posts it from. */
        write() {
            for (const [name, input] of Object.entries(this.inputs)) {
                input.value = JSON.stringify(this.draft.parts[name]);
            }
            this.root.querySelector("[data-undo]").disabled = !this.draft.past.length;
            this.root.querySelector("[data-redo]").disabled = !this.draft.future.length;
            this.tell();
        }

        tell() {
            const mark = this.root.querySelector("[data-unsaved]");
            if (mark) mark.hidden = !this.isUnsaved;
        }

        get isUnsaved() {
            return this.mended || this.touched || !this.draft.isSaved;
        }

        // Cards

        face(path) {
            return this.canvas.querySelector(`[data-path="${CSS.escape(path)}"]`);
        }

        focus(path) {
            const face = this.face(path) ?? this.face(TRIGGER);
            if (this.side.contains(document.activeElement)) return;
            face?.focus({ preventScroll: true });
            face?.scrollIntoView({ block: "nearest", inline: "nearest" });
        }

        /** Show which card is open, where what was cut can be put, and the counts. */
        mark() {
            for (const face of this.canvas.querySelectorAll(".wf-face")) {
                face.setAttribute("aria-expanded", String(face.dataset.path === this.open));
            }
            for (const button of this.canvas.querySelectorAll("[data-paste]")) button.hidden = !this.cut;
            for (const [id, told] of this.counts) this.canvas.querySelector(`[data-id="${CSS.escape(id)}"]`)?.after(told);
        }

        /** The nearest card in a direction, as it is seen. */
        neighbour(face, [x, y]) {
            const from = centre(face);
            let nearest = null;
            for (const other of this.canvas.querySelectorAll(".wf-face")) {
                const to = centre(other);
                const along = (to.x - from.x) * x + (to.y - from.y) * y;
                const across = Math.abs((to.x - from.x) * y) + Math.abs((to.y - from.y) * x);
                if (along < 8 || (x && across > along)) continue;
                const distance = along + 2 * across;
                if (!nearest || distance < nearest.distance) nearest = { other, distance };
            }
            return nearest?.other;
        }

        // Changing the draft

        async insert(list, index, step) {
            const added = this.draft.copied(step);
            this.draft.change(() => this.draft.list(list).splice(index, 0, added));
            const path = `${list}.${index}`;
            await this.draw(path);
            return path;
        }

        async add(list, index) {
            this.choose(document.getElementById("wf-steps"), async (blank) => {
                if (!(await this.settle())) return;
                const path = await this.insert(list, index, blank);
                await this.show(path);
            });
        }

        async retrigger(blank) {
            if (!(await this.settle())) return;
            const { conditions, reentry } = this.draft.parts.trigger;
            this.draft.change((parts) => {
                parts.trigger = { ...blank, ...(conditions && { conditions }), ...(reentry && { reentry }) };
            });
            await this.draw(TRIGGER);
            await this.show(TRIGGER);
        }

        remove(path) {
            const { list, index } = this.draft.place(path);
            const [removed] = this.draft.change(() => this.draft.list(list).splice(index, 1));
            this.close();
            const parent = list.includes(".") ? list.replace(/\.\w+$/, "") : TRIGGER;
            this.draw(index > 0 ? `${list}.${index - 1}` : parent);
            return removed;
        }

        duplicate(path) {
            const { list, index } = this.draft.place(path);
            this.close();
            return this.insert(list, index + 1, this.draft.at(path));
        }

        take(path) {
            this.cut = this.remove(path);
        }

        put(list, index) {
            if (!this.cut) return;
            const step = this.cut;
            this.cut = null;
            this.insert(list, index, step);
        }

        /** Up or down among its siblings, and out of its branch at either end. */
        move(path, by) {
            const { list, index, steps } = this.draft.place(path);
            let target = { list, index: index + by };
            if (target.index < 0 || target.index >= steps.length) {
                if (!list.includes(".")) return;
                const owner = this.draft.place(list.replace(/\.\w+$/, ""));
                target = { list: owner.list, index: owner.index + (by > 0 ? 1 : 0) };
            }
            this.close();
            this.draft.change(() => {
                const into = this.draft.list(target.list);
                const [step] = this.draft.list(list).splice(index, 1);
                into.splice(target.index, 0, step);
            });
            this.draw(`${target.list}.${target.index}`);
        }

        travel(from, to) {
            this.close();
            if (this.draft.travel(from, to)) this.draw(TRIGGER);
        }

        // The panel

        async show(path) {
            if (!(await this.settle())) return;
            const answer = await this.ask(this.root.dataset.panel, [["path", path]]);
            this.open = path;
            this.fill(await answer.text());
            this.side.hidden = false;
            document.documentElement.classList.add("wf-open");
            this.mark();
            this.face(path)?.scrollIntoView({ block: "nearest", inline: "nearest" });
            this.side.querySelector("fieldset :is(input, select, textarea):not([type=hidden])")?.focus();
        }

        fill(html) {
            this.side.innerHTML = html;
            this.touched = false;
            const menu = this.side.querySelector("#wf-insert");
            for (const text of this.side.querySelectorAll("[data-template]")) {
                if (this.editable) text.after(menu.content.cloneNode(true));
            }
            window.Regulars?.rules?.attach?.(this.side);
            this.tell();
        }

        close() {
            if (!this.open) return;
            const path = this.open;
            this.open = null;
            this.touched = false;
            this.side.hidden = true;
            this.side.replaceChildren();
            document.documentElement.classList.remove("wf-open");
            this.mark();
            this.tell();
            this.focus(path);
        }

        /** Take over what was typed into the panel, if it was; whether the panel may go. */
        async settle() {
            return this.touched ? this.apply() : true;
        }

        async apply() {
            const path = this.open;
            const fields = [...new FormData(this.side.querySelector("form")), ["path", path], ["apply", "yes"]];
            const answer = await this.ask(this.root.dataset.panel, fields);
            if (!answer.headers.get("content-type").startsWith("application/json")) {
                this.fill(await answer.text());
                this.touched = true;
                this.side.querySelector(".errors :is(input, select, textarea)")?.focus();
                return false;
            }
            const { part } = await answer.json();
            this.draft.change(() => {
                const owner = path.includes(".") ? this.draft.place(path).steps : this.draft.parts;
                owner[path.split(".").pop()] = part;
            });
            this.close();
            await this.draw(path);
            return true;
        }

        // Choosing a kind

        choose(dialog, chosen) {
            const search = dialog.querySelector(".wf-filter");
            search.value = "";
            filter(dialog, "");
            dialog.onclick = (event) => {
                const choice = event.target.closest("[data-blank]");
                if (choice || event.target.closest("[data-close]") || event.target === dialog) dialog.close();
                if (choice) chosen(JSON.parse(choice.dataset.blank));
            };
            dialog.showModal();
            search.focus();
        }

        // Listening

        listen() {
            this.canvas.addEventListener("click", (event) => this.clicked(event));
            this.canvas.addEventListener("keydown", (event) => this.pressed(event));
            this.side.addEventListener("click", (event) => this.clickedInPanel(event));
            this.side.addEventListener("submit", (event) => {
                event.preventDefault();
                this.apply();
            });
            this.side.addEventListener("input", (event) => this.typedInPanel(event));
            this.side.addEventListener("change", (event) => this.typedInPanel(event));
            document.addEventListener("keydown", (event) => {
                if (event.key === "Escape" && this.open && !document.querySelector("dialog[open]")) this.close();
            });
            if (!this.editable) return;
            this.root.querySelector("[data-undo]").addEventListener("click", () => this.travel("past", "future"));
            this.root.querySelector("[data-redo]").addEventListener("click", () => this.travel("future", "past"));
            this.form.addEventListener("input", (event) => {
                if (!event.target.closest("#wf-editor")) {
                    this.mended = true;
                    this.tell();
                }
            });
            this.form.addEventListener("submit", (event) => this.submitted(event));
            window.addEventListener("beforeunload", (event) => {
                if (this.isUnsaved && !this.leaving) event.preventDefault();
            });
            for (const dialog of document.querySelectorAll(".wf-palette")) listenIn(dialog);
        }

        clicked(event) {
            const button = event.target.closest("button");
            if (!button) return;
            const { path, add, paste, index } = button.dataset;
            if (add) this.add(add, Number(index));
            else if (paste) this.put(paste, Number(index));
            else if (path && !button.dataset.type) this.choose(document.getElementById("wf-triggers"), (blank) => this.retrigger(blank));
            else if (path) this.show(path);
        }

        pressed(event) {
            const face = event.target.closest(".wf-face");
            if (!face) return;
            const act = this.keys(event, face, face.dataset.path);
            if (!act) return;
            event.preventDefault();
            act();
        }

        /** What a key does on a card; nothing for one that means nothing here. */
        keys(event, face, path) {
            const arrow = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
            if (arrow && !event.altKey) return () => this.neighbour(face, arrow)?.focus();
            if (!this.editable) return null;
            const isStep = path !== TRIGGER;
            if (arrow && arrow[1] && isStep) return () => this.move(path, arrow[1]);
            const { list, index } = isStep ? this.draft.place(path) : { list: "steps", index: -1 };
            if (event.ctrlKey || event.metaKey) {
                const done = {
                    d: isStep && (() => this.duplicate(path)),
                    x: isStep && (() => this.take(path)),
                    v: () => this.put(list, index + 1),
                    z: () => this.travel("past", "future"),
                    y: () => this.travel("future", "past"),
                };
                return done[event.key.toLowerCase()] || null;
            }
            if (["a", "+"].includes(event.key)) return () => this.add(list, index + 1);
            if (["Delete", "Backspace"].includes(event.key) && isStep) return () => this.remove(path);
            return null;
        }

        clickedInPanel(event) {
            const button = event.target.closest("button");
            if (!button) return;
            if ("close" in button.dataset) this.close();
            if ("addRow" in button.dataset) {
                const template = button.parentElement.querySelector("template");
                button.before(template.content.cloneNode(true));
                button.previousElementSibling.querySelector("select").focus();
            }
            if ("removeRow" in button.dataset) {
                button.closest("[data-row]").remove();
                this.touched = true;
                this.tell();
            }
            const path = this.open;
            const actions = {
                duplicate: async () => (await this.settle()) && this.duplicate(path),
                cut: async () => (await this.settle()) && this.take(path),
                up: async () => (await this.settle()) && this.move(path, -1),
                down: async () => (await this.settle()) && this.move(path, 1),
                remove: () => this.remove(path),
                retrigger: () => this.choose(document.getElementById("wf-triggers"), (blank) => this.retrigger(blank)),
            };
            actions[button.dataset.do]?.();
        }

        typedInPanel(event) {
            if (event.target.matches(".wf-filter")) {
                filter(event.target.closest("[data-filterable]"), event.target.value);
                return;
            }
            const menu = event.target.closest(".wf-insert select");
            if (menu) {
                if (menu.value) insertVariable(menu.closest(".wf-insert").previousElementSibling, menu.value);
                menu.value = "";
            }
            if (!this.editable) return;
            this.touched = true;
            this.tell();
        }

        async submitted(event) {
            if (!this.touched) {
                this.leaving = true;
                return;
            }
            event.preventDefault();
            const { submitter } = event;
            if (await this.apply()) this.form.requestSubmit(submitter);
        }
    }

    function centre(element) {
        const box = element.getBoundingClientRect();
        return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    }

    function insertVariable(text, path) {
        text.setRangeText(`{{ ${path} }}`, text.selectionStart, text.selectionEnd, "end");
        text.dispatchEvent(new Event("input", { bubbles: true }));
        text.focus();
    }

    /** Leave what says all the words: the choices of a dialog, or the boxes of a list. */
    function filter(root, typed) {
        const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
        for (const item of root.querySelectorAll("li")) {
            const told = item.textContent.toLowerCase();
            item.hidden = !words.every((word) => told.includes(word));
        }
        for (const group of root.querySelectorAll("section")) group.hidden = !group.querySelector("li:not([hidden])");
        const none = root.querySelector(".wf-none");
        if (none) none.hidden = Boolean(root.querySelector("li:not([hidden])"));
    }

    /** In a dialog the arrows go from choice to choice, and Enter takes the first that is left. */
    function listenIn(dialog) {
        dialog.addEventListener("input", (event) => filter(dialog, event.target.value));
        dialog.addEventListener("keydown", (event) => {
            const choices = [...dialog.querySelectorAll("li:not([hidden]) > button")];
            const at = choices.indexOf(document.activeElement);
            const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (by) choices[Math.min(Math.max(at + by, 0), choices.length - 1)]?.focus();
            else if (event.key === "Enter" && at < 0) choices[0]?.click();
            else return;
            event.preventDefault();
        });
    }

    document.addEventListener("DOMContentLoaded", () => {
        const root = document.getElementById("wf-editor");
        if (root) new Editor(root);
    });
})();
