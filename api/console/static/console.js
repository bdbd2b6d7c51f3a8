// `/` goes to the search box, unless somebody is typing.
document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    const search = document.getElementById("q");
    if (event.key !== "/" || typing || !search || event.ctrlKey || event.metaKey || event.altKey) {
        return;
    }
    event.preventDefault();
    search.focus();
});

// A part with `data-refresh-seconds` is replaced by its newest state, unless somebody is in it.
const refresh = async (id) => {
    const old = document.getElementById(id);
    if (!document.hidden && !old.contains(document.activeElement)) {
        const answer = await fetch(location.href, { headers: { "X-Refresh": "1" } });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(id);
        if (!fresh) {
            location.reload(); // logged out, perhaps
            return;
        }
        const open = [...old.querySelectorAll("details")].map((one) => one.open);
        [...fresh.querySelectorAll("details")].forEach((one, place) => (one.open = open[place]));
        old.replaceWith(fresh);
    }
};
for (const part of document.querySelectorAll("[data-refresh-seconds]")) {
    const { id, dataset } = part;
    setInterval(() => refresh(id).catch(() => {}), 1000 * dataset.refreshSeconds);
}
