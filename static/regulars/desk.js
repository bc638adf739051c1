// Naming colleagues in a note: @ and the beginning of a name offers those who are called so
// (WAI-ARIA's combobox with a list). Whom there is to name stands in the page (#rg-colleagues).
"use strict";

(() => {
    const MOST = 8;
    const source = document.getElementById("rg-colleagues");
    if (!source) return;
    const colleagues = JSON.parse(source.textContent);
    const label = document.querySelector("meta[name=rg-colleagues-label]")?.content ?? "";

    let field = null;
    let found = [];
    let active = 0;
    const list = document.createElement("ul");
    Object.assign(list, { id: "rg-named", className: "rg-named", hidden: true });
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", label);

    /** What is being typed behind an @, and where that stands; null when it is none. */
    function typed(area) {
        const before = area.value.slice(0, area.selectionStart);
        const match = /(^|[^\p{L}\p{N}_])@([\p{L}\p{N}_.'’@+-]*(?: [\p{L}'’-]*)?)$/u.exec(before);
        return match && { text: match[2].toLocaleLowerCase(), start: before.length - match[2].length };
    }

    function close() {
        list.hidden = true;
        if (!field) return;
        field.removeAttribute("aria-activedescendant");
        field.setAttribute("aria-expanded", "false");
    }

    function mark() {
        for (const [at, option] of [...list.children].entries()) {
            option.setAttribute("aria-selected", String(at === active));
        }
        list.children[active]?.scrollIntoView({ block: "nearest" });
        field.setAttribute("aria-activedescendant", `rg-named-${active}`);
    }

    function open(area) {
        const at = typed(area);
        const fits = ({ name, written }) => [name, written, ...name.split(" ")]
            .some((one) => one.toLocaleLowerCase().startsWith(at.text));
        found = at ? colleagues.filter(fits).slice(0, MOST) : [];
        field = area;
        // A name that stands there in full needs no list.
        if (!found.length || (found.length === 1 && found[0].written.toLocaleLowerCase() === at.text)) {
            close();
            return;
        }
        active = 0;
        list.replaceChildren(...found.map(({ name, written }, index) => {
            const option = document.createElement("li");
            option.id = `rg-named-${index}`;
            option.setAttribute("role", "option");
            option.textContent = name === written ? name : `${name} (${written})`;
            return option;
        }));
        area.setAttribute("role", "combobox");
        area.setAttribute("aria-autocomplete", "list");
        area.setAttribute("aria-controls", list.id);
        area.setAttribute("aria-expanded", "true");
        document.body.append(list);
        list.hidden = false;
        const { left, bottom } = area.getBoundingClientRect();
        list.style.left = `${left + scrollX}px`;
        list.style.top = `${bottom + scrollY + 4}px`;
        mark();
    }

    function take(index) {
        const at = typed(field);
        if (!at) return;
        const inserted = `${found[index].written} `;
        field.setRangeText(inserted, at.start, field.selectionStart, "end");
        close();
        field.focus();
    }

    const isNote = (target) => target.matches?.("[data-rg-mentions]");

    document.addEventListener("input", (event) => {
        if (isNote(event.target)) open(event.target);
    });
    document.addEventListener("focusout", (event) => {
        if (isNote(event.target)) close();
    });
    // The field keeps the focus while a name is pressed.
    list.addEventListener("mousedown", (event) => {
        event.preventDefault();
        const index = [...list.children].indexOf(event.target.closest("li"));
        if (index >= 0) take(index);
    });
    document.addEventListener("keydown", (event) => {
        if (list.hidden || !isNote(event.target)) return;
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (step) {
            active = (active + step + found.length) % found.length;
            mark();
        } else if (event.key === "Enter" || event.key === "Tab") {
            take(active);
        } else if (event.key === "Escape") {
            close();
        } else {
            return;
        }
        event.preventDefault();
        event.stopPropagation();
    }, true);
})();
