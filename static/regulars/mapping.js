// The page on which values are given their meaning, without a reload at each click.
//
// Every button of the form posts it and gets the whole page back; here it is fetched instead, and the
// form is taken out of it. What the page is and does is the server's to say (mapping.html).
"use strict";

(() => {
    const form = () => document.getElementById("mapping");
    let asked = 0;

    /** Move the choice of meanings below the value that is chosen, or away when none is. */
    function choose() {
        const box = document.getElementById("map-choose");
        if (!box) return;
        const chosen = form().querySelector("input[name=path]:checked");
        box.hidden = !chosen;
        if (!chosen) return;
        document.getElementById("map-chosen").textContent = chosen.value;
        for (const button of box.querySelectorAll(".rg-choice")) {
            button.classList.toggle("rg-likely", button.value === `use:${chosen.dataset.likely}`);
        }
        chosen.closest("label").after(box);
    }

    function prepare() {
        form().classList.add("rg-scripted");
        choose();
    }

    /** What to give the focus to when the form was replaced: the same thing, or what is next to it. */
    function place(focused) {
        if (!focused || !form().contains(focused)) return null;
        const chosen = focused.closest("#map-choose") && form().querySelector("input[name=path]:checked");
        if (chosen) return { name: "path", value: chosen.value };
        return { id: focused.id, name: focused.name, value: focused.value };
    }

    function find(where) {
        if (!where) return null;
        if (where.id) return document.getElementById(where.id);
        const same = [...form().elements].find((one) => one.name === where.name && one.value === where.value);
        return same ?? document.getElementById("map-type");
    }

    async function send(button) {
        const turn = ++asked;
        const where = place(document.activeElement);
        const open = [...form().querySelectorAll("details")].map((one) => one.open);
        form().setAttribute("aria-busy", "true");
        const data = new FormData(form());
        data.append("do", button);
        let answer;
        try {
            answer = await fetch(form().action, { method: "POST", body: data, credentials: "same-origin" });
        } catch {
            answer = null;
        }
        if (turn !== asked) return; // another click came after it
        if (!answer?.ok) {
            form().removeAttribute("aria-busy");
            HTMLFormElement.prototype.submit.call(form()); // the browser says what is wrong
            return;
        }
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const news = page.getElementById("mapping");
        if (turn !== asked) return;
        if (!news) {
            location.reload(); // signed out meanwhile, as it seems
            return;
        }
        form().replaceWith(news);
        [...news.querySelectorAll("details")].forEach((one, at) => { one.open ||= open[at]; });
        prepare();
        find(where)?.focus({ preventScroll: true });
        const wrong = news.querySelector("[role=alert]")?.textContent ?? "";
        document.getElementById("mapping-said").textContent = [news.dataset.said, wrong].join(" ").trim();
    }

    document.addEventListener("submit", (event) => {
        const button = event.submitter?.value ?? "show";
        if (event.target !== form()) return;
        if (button === "save" || button === "apply") {
            delete form().dataset.changed;
            return;
        }
        event.preventDefault();
        send(button);
    });

    document.addEventListener("change", (event) => {
        if (!form()?.contains(event.target)) return;
        if (event.target.name === "path") choose();
        else if (event.target.dataset.submits !== undefined) send(event.target.dataset.submits || "show");
    });

    document.addEventListener("keydown", (event) => {
        const chosen = form()?.querySelector("input[name=path]:checked");
        if (!chosen || !form().contains(event.target)) return;
        if (event.key === "Enter" && event.target === chosen) {
            event.preventDefault(); // on to what it may be
            const box = document.getElementById("map-choose");
            (box.querySelector(".rg-likely") ?? box.querySelector(".rg-choice")).focus();
        } else if (event.key === "Escape" && event.target.closest("#map-choose, .rg-leaf")) {
            chosen.checked = false;
            choose();
            chosen.focus();
        }
    });

    window.addEventListener("beforeunload", (event) => {
        if (form()?.dataset.changed !== undefined) event.preventDefault();
    });

    document.addEventListener("DOMContentLoaded", () => {
        if (form()) prepare();
    });
})();
