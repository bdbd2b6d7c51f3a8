// Keeps the notices about the queue up to date, and shows errors of this page. rq-dashboard's own
// scripts do neither.
(function ($) {
    var notice = $('<p class="alert alert-warning" role="status">').hide().prependTo("body");

    $(document).ajaxError(function (event, xhr) {
        if (xhr.status === 200) { return; }  // its list of Redis servers is not JSON
        var answer = xhr.responseJSON || {error: "The dashboard does not answer."};
        notice.text(answer.error).show();
    });

    $(document).ajaxSuccess(function () { notice.hide(); });

    setInterval(function () {
        $.getJSON("/notices.json", function (answer) {
            $("#notices").empty().append($.map(answer.notices, function (text) {
                return $('<p class="alert alert-warning" role="alert">').text(text)[0];
            }));
        });
    }, {{ poll_interval }});
})($);
