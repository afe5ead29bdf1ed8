/* SPDX-License-Identifier: MIT */
/* What a person may look at when a pod gives no good answer: one text a result, wherever it is shown. */
#include <config.h>

#include <syncer/share/scoreboard.h>

static const char *hint_of_status(uint16_t code)
{
    if (code >= 300 && code < 400)
        return "a redirect: the probe location still has error_page 401";
    switch (code) {
    case 403:
        return "403: the location is closed to syncer: allow, deny, or a web application firewall";
    case 404:
        return "404: path or host is not the probe location's";
    case 429:
    case 503:
        return "429 or 503: limit_req on the probe location, or the pod is overloaded";
    default:
        return "neither 200 nor 401";
    }
}

const char *scoreboard_hint(unsigned result, uint16_t code)
{
    switch (result) {
    case SCOREBOARD_ABSENT:
        return "the token has not come (401): is its zone_sync connected, and is the token still valid?";
    case SCOREBOARD_STATUS:
        return hint_of_status(code);
    case SCOREBOARD_DOWN:
        return "is the pod alive, do port and network policy let syncer in, does its certificate fit tls_ca and "
               "tls_server_name?";
    case SCOREBOARD_CONNECT:
        return "is the pod alive, is port right, and does a network policy let syncer through?";
    case SCOREBOARD_TLS:
        return "tls_ca and tls_server_name should fit the pods' certificate, and the port should speak TLS";
    case SCOREBOARD_TIMED_OUT:
        return "the pod answers too late for connection_timeout: is it overloaded?";
    case SCOREBOARD_BROKEN:
        return "no whole HTTP answer: does the port belong to the gateway, and speak HTTP/1.1?";
    default:
        return "";
    }
}
