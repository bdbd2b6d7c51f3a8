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
