// Sent with each request of this page's scripts; nothing is requeued without it.
$.ajaxSetup({headers: {"X-CSRF-Token": {{ csrf_token|tojson }}}});

// What went wrong, or was done, at the top of the page: the page's own scripts say neither.
(function ($) {
    var notice = $('<p class="alert alert-warning" role="status">').hide().prependTo("body");
    var ofButton = false;  // what a button did stays; what a poll met goes with the next good one

    var say = function (text, settings) {
        ofButton = settings.type === "POST";
        notice.text(text).show();
    };

    $(document).ajaxError(function (event, xhr, settings) {
        if (xhr.status === 200) { return; }  // its list of Redis servers, which is not JSON
        var answer = xhr.responseJSON || {error: "The dashboard does not answer."};
        say(answer.error, settings);
    });

    $(document).ajaxSuccess(function (event, xhr, settings, answer) {
        if (answer.message) {
            say(answer.message, settings);
        } else if (!ofButton) {
            notice.hide();
        }
    });
})($);
