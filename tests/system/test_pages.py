#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a browser is given: the page at /ui/ in a real Chromium, and the description of the interface."""
import json
import os
import re
import socket
import sys

from harness import browser, tap

SOURCE = os.environ.get("SYNCER_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGES = re.compile(r'^PAGE\(\w+, "([^"]+)", "([^"]+)"', re.M)
QUICK = {"sync_timeout": 50, "retries": 1}


def source(*path):
    with open(os.path.join(SOURCE, *path)) as f:
        return f.read()


def pages():
    """(path, type) of all that pages.def names."""
    return PAGES.findall(source("src", "api", "pages.def"))


def optional(path):
    """What a syncer may have been built without."""
    return path.startswith(("/ui/uplot", "/swagger-ui/"))


def test_each_file_says_what_it_is(t):
    server = t.syncer(t.cluster(2, one_process=True))
    for path, kind in pages():
        got = server.get(path)
        if optional(path) and got.status == 404:
            continue
        assert (got.status, got.headers["content-type"]) == (200, kind), (path, got.status, got.headers)
        assert got.headers["content-security-policy"].startswith("default-src 'self'; "), path
        assert got.headers["x-content-type-options"] == "nosniff" and got.body, path
        head = server.request("HEAD", path)
        assert head.status == 200 and not head.body and head.headers["content-type"] == kind, path
        assert server.request("POST", path).status == 405, path
    got = server.get("/")
    assert (got.status, got.headers["location"], got.body) == (302, "/ui/", b""), str(got)
    assert server.get("/ui").status == 404 and server.get("/ui/../ui/").status == 404


def test_the_files_are_those_of_the_tree(t):
    server = t.syncer(t.cluster(2, one_process=True))
    for name in os.listdir(os.path.join(SOURCE, "src", "api", "ui")):
        if not name.startswith("swagger"):
            path = {"index.html": "/ui/", "openapi.json": "/openapi.json"}.get(name, f"/ui/{name}")
            assert server.get(path).body.decode() == source("src", "api", "ui", name), name


def test_nothing_is_inline(t):
    """The policy would forbid it; the page would look broken."""
    for name in "index.html", "swagger.html":
        text = source("src", "api", "ui", name)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", text), name
        assert "http://" not in text and "https://" not in text, name
    for name in os.listdir(os.path.join(SOURCE, "src", "api", "ui")):
        assert "innerHTML" not in source("src", "api", "ui", name), name


def test_only_administrators_see_it(t):
    pods = t.cluster(2, one_process=True)
    server = t.syncer(pods, admin_listen=f"{pods.block.address(253)}:8081")
    for path, _ in pages():
        assert server.get(path).status == 404, path
    with socket.create_connection((server.address, 8081)) as admin:
        admin.sendall(b"GET /ui/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert admin.recv(64).startswith(b"HTTP/1.1 200 ")


def test_the_description_names_every_path(t):
    described = set(json.loads(source("src", "api", "ui", "openapi.json"))["paths"])
    routes = set(re.findall(r'^    \{"(/[^"]+)",', source("src", "api", "routes.c"), re.M))
    assert described == routes - {"/"} | {"/openapi.json"}, described ^ routes


def resolve(document, schema):
    return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def fits(document, schema, value, at):
    """The value has no field that the schema does not name, and each is of its type."""
    schema = resolve(document, schema)
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "object": dict, "array": list}
    allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    good = [k for k in allowed if isinstance(value, kinds[k]) and (k == "boolean" or not isinstance(value, bool))]
    assert good, f"{at}: {value!r} is no {allowed}"
    if isinstance(value, dict) and "properties" in schema:
        assert set(value) <= set(schema["properties"]), f"{at}: {set(value) - set(schema['properties'])} is not described"
        for name, inner in value.items():
            fits(document, schema["properties"][name], inner, f"{at}.{name}")
    for inner in value if isinstance(value, list) else ():
        fits(document, schema["items"], inner, f"{at}[]")


def test_the_description_fits_the_answers(t):
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods, control_probe=None, **QUICK)
    pods[0].put("t")
    document = json.loads(server.get("/openapi.json").body)

    def schema(path, status="200", kind="application/json"):
        return document["paths"][path]["get"]["responses"][status]["content"][kind]["schema"]
    fits(document, schema("/v1/synced"), server.check("t", query="verbose=1").json(), "verdict")
    fits(document, schema("/v1/synced"), server.check("t", query="verbose=1&expect=absent").json(), "verdict")
    problem = server.check("a b")
    fits(document, schema("/v1/synced", "400", "application/problem+json"), problem.json(), "problem")
    for path in "/v1/pods", "/v1/status", "/readyz", "/livez", "/health":
        fits(document, schema(path), server.get(path).json(), path)


# ---- in the browser ----

def window(t, server, path="/ui/", **size):
    made = t.keep(browser.Browser(**size))
    made.open(server.url + path)
    return made


def need_browser():
    if browser.missing():
        raise tap.Skip(browser.missing())


def tile(page, name):
    found = dict(zip(page.texts("#tiles dt"), page.texts("#tiles dd")))
    return found.get(name, "")


def names(page):
    return page.texts("#pods-table tbody td:first-child")


def test_the_page_shows_pods_and_verdicts_as_they_come(t):
    need_browser()
    pods = t.cluster(4)
    server = t.syncer(pods, **QUICK)
    page = window(t, server)
    page.wait(lambda: names(page) == ["gw-1", "gw-2", "gw-3", "gw-4"], "the pods are not shown")
    assert page.text("#state") == "ready" and "static" in page.text("#source")
    pods.put("t")
    for _ in range(3):
        assert server.check("t").verdict == "Synced"
    page.wait(lambda: tile(page, "Synced").startswith("100 %"), "the verdicts are not shown")
    page.wait(lambda: page.texts("#pods-table td:nth-child(4)").count("present (200)") == 4, "results are not shown")
    pods[3].kill()
    server.check("t", query="verbose=1")
    page.wait(lambda: "down" in page.texts("#pods-table td:nth-child(4)") or "no connection" in page.texts("#pods-table td:nth-child(4)"),
              "a pod that is gone goes unnoticed")
    assert len(page.texts("#workers-table tbody tr")) == 2
    assert page.complaints() == [] or server.get("/ui/uplot.js").status == 404


def test_the_page_plots(t):
    need_browser()
    pods = t.cluster(3, one_process=True)
    server = t.syncer(pods)
    if server.get("/ui/uplot.js").status == 404:
        raise tap.Skip("built without uPlot")
    page = window(t, server)
    page.wait(lambda: page.run("return document.querySelectorAll('.plot canvas').length") == 3, "no plots")
    pods.put("late", 300, 300, 300)
    assert server.check("late").verdict == "Synced"
    page.wait(lambda: re.search(r"gw-1 \d", page.run("return document.querySelector('#plot-lag').ariaLabel") or ""),
              "the lag is not plotted")
    page.wait(lambda: page.complaints() == [], "the console complains")


def test_the_page_says_when_syncer_is_gone(t):
    need_browser()
    server = t.syncer(t.cluster(2, one_process=True))
    page = window(t, server)
    page.wait(lambda: page.text("#state") == "ready", "not ready")
    server.stop()
    page.wait(lambda: page.text("#state") == "no answer", "its end goes unnoticed")
    assert "does not answer" in page.text("#trouble")
    server.start()
    page.wait(lambda: page.text("#state") == "ready" and page.run("return document.querySelector('#trouble').hidden"), "its return goes unnoticed")


def test_the_table_sorts_and_filters_by_keyboard(t):
    need_browser()
    server = t.syncer(t.cluster(12, one_process=True))
    page = window(t, server)
    page.wait(lambda: len(names(page)) == 12, "the pods are not shown")
    assert names(page)[:2] == ["gw-1", "gw-2"] and names(page)[-1] == "gw-12", "numbers sort as numbers"
    page.run("document.querySelector('#filter').focus()")
    page.press("Tab", "Tab", "Enter")  # the scrolling region, then the first column's button
    assert page.run("return document.activeElement.innerText") == "Pod"
    page.wait(lambda: names(page)[0] == "gw-12", "it does not sort")
    assert page.run("return document.querySelector('#pods-table th').ariaSort") == "descending"
    page.type("#filter", "gw-1")
    assert names(page) == ["gw-12", "gw-11", "gw-10", "gw-1"] and page.text("#pods-count") == "4 of 12"


def test_what_comes_from_the_cluster_is_text(t):
    need_browser()
    page = window(t, t.syncer(t.cluster(2, one_process=True)))
    page.later("""
        const { Table } = await import('/ui/table.js');
        const element = document.createElement('table');
        element.id = 'hostile';
        document.body.append(element);
        new Table(element, [{ title: 'x', value: (r) => r, text: (r) => r }]).show(['<img src=x onerror=alert(1)>']);
    """)
    assert page.text("#hostile td") == "<img src=x onerror=alert(1)>"
    assert page.run("return document.querySelectorAll('#hostile img').length") == 0


def test_quantiles_are_those_of_prometheus(t):
    need_browser()
    page = window(t, t.syncer(t.cluster(2, one_process=True)))
    got = page.later("""
        const m = await import('/ui/metrics.js');
        const text = 'a_bucket{le="0.1"} 5\\na_bucket{le="+Inf"} 20\\na_bucket{le="0.5"} 15\\nb{x="\\\\"y"} 2\\nb 3\\n';
        const parsed = m.parse(text, ['a_bucket', 'b']), list = m.buckets(parsed.get('a_bucket'));
        return [m.quantile(0.5, list), m.quantile(0.9, list), m.quantile(0.5, []), m.sum(parsed.get('b'))];
    """)
    # The 10th of 20: half of the way through the 10 that lie between 0.1 and 0.5. Beyond the last bound: that bound.
    assert abs(got[0] - 0.3) < 1e-9 and got[1:] == [0.5, None, 5], got


def test_themes_and_small_screens(t):
    need_browser()
    page = window(t, t.syncer(t.cluster(3, one_process=True)))
    page.wait(lambda: len(names(page)) == 3, "the pods are not shown")

    def background():
        return page.run("return getComputedStyle(document.body).backgroundColor")
    page.prefer("light")
    light = background()
    page.prefer("dark")
    assert background() != light
    page.run("const s = document.querySelector('#theme'); s.value = 'light'; s.dispatchEvent(new Event('change'))")
    assert background() == light, "the choice stands above the system's"
    for width in 320, 390, 768, 1600:
        page.resize(width, 800)
        wide = page.run("return document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px at {width}"


def test_swagger_ui_shows_the_description(t):
    need_browser()
    server = t.syncer(t.cluster(2, one_process=True))
    if server.get("/swagger-ui/").status == 404:
        raise tap.Skip("built without Swagger UI")
    page = window(t, server, "/swagger-ui/")
    page.wait(lambda: len(page.texts(".opblock")) >= 8, "no operations")
    assert any("/v1/synced" in text for text in page.texts(".opblock"))
    assert page.complaints() == []


if __name__ == "__main__":
    sys.exit(tap.main())
