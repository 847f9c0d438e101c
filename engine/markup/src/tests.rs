//! What comes out is read again here letter by letter, by nothing that made it.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::reader::flaw;
use super::*;

fn is_safe(html: &str) {
    assert_eq!(flaw(html), None, "{html}");
    // Read into a tree, as a browser does, and written down again, it is the same.
    assert_eq!(safe_html(html), html);
}

#[test]
fn the_reader_of_these_tests_finds_what_is_unsafe() {
    for unsafe_html in [
        "<script>a</script>",
        "<b onclick=\"x()\">a</b>",
        "<a href=\"javascript:x\" rel=\"noopener noreferrer nofollow\">a</a>",
        "<a href=\"https://a.org\">a</a>",
        "<b>a",
        "</b>",
        "a > b",
        "<b title='a'>b</b>",
        "<!-- a -->",
        "<img src=\"a\">",
        "<b",
        "<a href=\" javascript:x\" rel=\"noopener noreferrer nofollow\">a</a>",
        "<B>a</B>",
        "<p style=\"a\">b</p>",
    ] {
        assert!(flaw(unsafe_html).is_some(), "{unsafe_html}");
    }
}

#[test]
fn what_people_write_stays() {
    for html in [
        "",
        "a &amp; b",
        "<p>a <em>b</em> <strong>c</strong><br>d</p>",
        "<ul><li>a</li><li>b</li></ul>",
        "<hr>",
        "<h2 lang=\"es\" title=\"c\">Qué</h2>",
        "<ol start=\"3\"><li>a</li></ol>",
        "<pre><code>a &lt; b</code></pre>",
        "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
        "<a href=\"https://a.org/b?c=d\" rel=\"noopener noreferrer nofollow\">e</a>",
        "<a href=\"mailto:a@b.org\" rel=\"noopener noreferrer nofollow\">e</a>",
    ] {
        is_safe(html);
        assert_eq!(safe_html(html), html);
    }
}

#[test]
fn scripts_handlers_styles_forms_images_and_strange_links_go() {
    for (html, safe) in [
        ("a<script>b()</script>c", "ac"),
        ("<SCRIPT SRC=//a.org/x.js></SCRIPT >a", "a"),
        ("<scr<script>ipt>a</script>b", "ipt&gt;ab"),
        ("<style>p {color: red}</style>a", "a"),
        ("<p onclick=\"x()\" style=\"a\" class=\"b\" id=\"c\">d</p>", "<p>d</p>"),
        ("<form action=/x><input name=a><button>b</button></form>", "b"),
        ("<img src=x onerror=alert(1)>a", "a"),
        (
            "<svg><script>a</script><a xlink:href=\"javascript:b\">c</a></svg>",
            "<a rel=\"noopener noreferrer nofollow\">c</a>",
        ),
        ("<math><mi><style><img src=x onerror=a></style></mi></math>b", "b"),
        ("<a href=\"javascript:x()\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>"),
        ("<a href=\" java\nscript:x()\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>"),
        (
            "<a href=\"\u{1a}\u{fdd0} ht\ntps://a.org\">a</a>",
            "<a href=\"https://a.org\" rel=\"noopener noreferrer nofollow\">a</a>",
        ),
        ("<a href=\"\u{1}javascript:x()\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>"),
        ("<a href=\"&#106;avascript:x()\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>"),
        ("<a href=\"data:text/html,a\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>"),
        ("<a href=\"/v1/processes\">a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>"),
        ("<a href=\"//a.org\" target=_blank rel=opener>a</a>", "<a rel=\"noopener noreferrer nofollow\">a</a>"),
        ("<iframe src=https://a.org><b>a</b></iframe>b", "b"),
        ("<noscript><p title=\"</noscript><img src=x onerror=a>\">", "\"&gt;"),
        ("<textarea><b>a</textarea>b", "b"),
        ("<plaintext>a", ""),
        ("<base href=https://a.org><meta http-equiv=refresh content=0><link rel=stylesheet href=a>b", "b"),
        ("<!--a--><!doctype html><?b?>c<![CDATA[d]]>", "c"),
        ("<b>a", "<b>a</b>"),
        ("a</b></p>", "a"),
        ("<table><td>a", "<table><tbody><tr><td>a</td></tr></tbody></table>"),
        ("a\0b", "ab"),
        ("a\u{fdd1}script\u{fdd2}<b title=\"\u{fdd0}c\">&<</b>", "ascript<b title=\"c\">&amp;&lt;</b>"),
    ] {
        assert_eq!(safe_html(html), safe, "{html}");
        is_safe(safe);
    }
}

#[test]
fn markdown_is_rendered_and_html_in_it_is_text() {
    for (markdown, html) in [
        (
            "# A\n\nb *c* **d** ~~e~~ `f`\n",
            "<h1>A</h1>\n<p>b <em>c</em> <strong>d</strong> <del>e</del> <code>f</code></p>\n",
        ),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("> a", "<blockquote>\n<p>a</p>\n</blockquote>\n"),
        ("<script>a()</script>", "&lt;script&gt;a()&lt;/script&gt;"),
        ("a <img src=x onerror=b>", "<p>a &lt;img src=x onerror=b&gt;</p>\n"),
        ("![Plan](https://a.org/b.png \"c\")", "<p>Plan</p>\n"),
        ("[a](javascript:b)", "<p><a rel=\"noopener noreferrer nofollow\">a</a></p>\n"),
        (
            "<https://a.org>",
            "<p><a href=\"https://a.org\" rel=\"noopener noreferrer nofollow\">https://a.org</a></p>\n",
        ),
        ("```html\n<b>\n```", "<pre><code>&lt;b&gt;\n</code></pre>\n"),
    ] {
        assert_eq!(safe_markdown(markdown), html, "{markdown}");
        is_safe(html);
    }
    let table = safe_markdown("|a|b|\n|:-|-|\n|1|2|");
    assert!(table.contains("<th>a</th>") && table.contains("<td>2</td>"), "{table}");
}

#[test]
fn elements_nest_so_deep_and_the_text_of_deeper_ones_stays() {
    let nested = |many: usize| format!("{}a{}", "<em>".repeat(many), "</em>".repeat(many));
    assert_eq!(safe_html(&nested(MARKUP_NESTING_MAX)), nested(MARKUP_NESTING_MAX));
    assert_eq!(safe_html(&nested(MARKUP_NESTING_MAX + 1)), nested(MARKUP_NESTING_MAX));
    let quoted = safe_markdown(&format!("{} a", ">".repeat(1_000)));
    assert!(quoted.matches("<blockquote>").count() <= MARKUP_NESTING_MAX && quoted.contains('a'));
}

#[test]
fn what_is_safe_stays_as_it_is_when_it_is_read_again() {
    let deep = format!("{}<table><td>a", "<q>".repeat(MARKUP_NESTING_MAX - 2));
    for html in [
        // What stands between the parts of a table is put before it, out of the link that it was in.
        "<a>b<table><a>c<p>d</table>e",
        "<table>a<b>c<td>d<table><i>e</table></table>",
        "a <td> </td> b",
        " <td> </td> ",
        "<pre>\n\na</pre>\n \n",
        &deep,
    ] {
        is_safe(&safe_html(html));
    }
    let quotes = "<q>".repeat(MARKUP_NESTING_MAX - 1);
    let in_them = safe_html(&format!("{quotes}<table><tr><td>a"));
    assert_eq!((in_them.matches("<td>").count(), in_them.contains('a')), (0, true), "{in_them}");
}

#[test]
fn of_a_text_that_does_not_stay_as_it_is_its_words_are_left() {
    for (html, words) in [
        ("<p title=\"b\">a &lt;b&gt; <em>&amp;</em></p><script>c</script>", "a &lt;b&gt; &amp;"),
        ("<td> <tr> \n", "\n"),
        ("<plaintext>a", ""),
    ] {
        assert_eq!(read(html, Keeps::Words), words);
        assert_eq!(safe_html(words), words, "it is what it is");
    }
}

#[test]
fn no_text_takes_long() {
    let filled = |unit: &str| unit.repeat(MARKUP_BYTES_MAX / unit.len());
    let half = |unit: &str| unit.repeat(MARKUP_BYTES_MAX / 2 / unit.len());
    let numbered: String = (0..3_000).map(|number| format!("<b title={number}>")).collect();
    let attributes: String = (0..9_000).map(|number| format!("{number:x} ")).collect();
    let html = [
        filled("<div>"),
        filled("<p>"),
        filled("<b>"),
        filled("<a>"),
        filled("<table>"),
        filled("<table><b>"),
        filled("<"),
        filled("&"),
        filled("<!--"),
        filled("</p>"),
        filled("\n"),
        filled("a\n"),
        filled("\0"),
        filled("a\0"),
        filled("&#38;"),
        format!("<b title=\"{}", half("&")),
        format!("<pre>{}", half("\n")),
        filled("<br>"),
        filled("<hr>"),
        filled("a<br>"),
        filled("<p>a</p>"),
        filled("<i>a</i>"),
        filled("é"),
        filled("\u{fdd0}"),
        filled("<table>a"),
        format!("{numbered}{}", half("<p>a</p>")),
        format!("<b {attributes}>"),
        format!("{}{}", half("<ul><li>"), half("</b>")),
        format!("<p>{}{}", "<b><i>".repeat(12), half("<p>a")),
        format!("<table>{}{}", "<b><i>".repeat(11), half("<tr>a")),
    ];
    let markdown = [
        filled(">"),
        filled("- "),
        filled("["),
        filled("*a **b "),
        filled("`"),
        filled("[a]("),
        filled("|a"),
        filled("&"),
        filled("![["),
        format!("{}\n{}", half(">"), half("> a\n")),
        filled("<a"),
        filled("<!--"),
        filled("\\"),
        filled("a_b_"),
    ];
    let took = |text: &str, make: &dyn Fn(&str) -> String| {
        let began = Instant::now();
        is_short_and_safe(text, &make(text));
        let start: String = text.chars().take(40).collect();
        assert!(began.elapsed() < Duration::from_secs(10), "{start}… took {:?}", began.elapsed());
    };
    html.iter().for_each(|text| took(text, &safe_html));
    markdown.iter().for_each(|text| took(text, &safe_markdown));
}

fn is_short_and_safe(text: &str, html: &str) {
    assert_eq!(flaw(html), None);
    let start: String = text.chars().take(40).collect();
    assert!(html.len() < 100 * MARKUP_BYTES_MAX, "{start}… became {} bytes", html.len());
}

/// Pieces of which attacks are made, put together in any order.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "<",
        ">",
        "</",
        "/>",
        "\"",
        "'",
        "=",
        " ",
        "\n",
        "\t",
        "\0",
        "`",
        "&",
        ";",
        "&lt;",
        "&#x3c;",
        "&#60",
        "&quot;",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "<!",
        "a",
        "p",
        "b",
        "script",
        "style",
        "svg",
        "math",
        "mtext",
        "mglyph",
        "annotation-xml",
        "foreignObject",
        "noscript",
        "template",
        "title",
        "textarea",
        "select",
        "option",
        "table",
        "td",
        "caption",
        "form",
        "input",
        "iframe",
        "xmp",
        "plaintext",
        "img",
        "src",
        "href",
        "xlink:href",
        "onerror",
        "onload",
        "alert(1)",
        "javascript:",
        "JaVaScRiPt:",
        "data:text/html,",
        "vbscript:",
        "https://a.org",
        "//a.org",
        "<script>",
        "</script>",
        "<style>",
        "</style>",
        "<svg>",
        "</svg>",
        "<math>",
        "<mtext>",
        "<table>",
        "</table>",
        "<p>",
        "</p>",
        "<a href=\"",
        "<a href='",
        "<a href=",
        "<b>",
        "<i>",
        "</b>",
        "<li>",
        "<ul>",
        "<form>",
        "<select>",
        "<template>",
        "<noscript>",
        "<title>",
        "<textarea>",
        "<h1>",
        "<td>",
        "<br/>",
        "<img src=x onerror=alert(1)>",
        " onclick=a ",
        " style=b ",
        "# ",
        "> ",
        "- ",
        "* ",
        "**",
        "~~",
        "[",
        "](",
        ")",
        "![",
        "\n\n",
        "```",
        "|",
        "|-|",
        "<https:",
        "é",
        "\u{202e}",
        "\u{feff}",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_in_no_script_handler_or_strange_link_comes_out(text in hostile(), other in any::<String>()) {
        for text in [text, other] {
            is_safe(&safe_html(&text));
            is_safe(&safe_markdown(&text));
        }
    }
}
