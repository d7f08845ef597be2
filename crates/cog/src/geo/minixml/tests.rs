//! Documents and the items that GDAL 3.10.3 reads from them.

use super::{Item, for_each_item, unescaped};

/// The items of a document, as text; None if it is rejected.
fn items(document: &[u8]) -> Option<Vec<[String; 5]>> {
    let mut found = Vec::new();
    for_each_item(document, |item| {
        let Item { name, sample, role, domain, text } = item;
        let spelled =
            |bytes: Option<Vec<u8>>| bytes.map_or("-".to_owned(), |b| String::from_utf8_lossy(&b).into_owned());
        found.push([name, sample, role, domain, text].map(spelled));
    })?;
    Some(found)
}

/// Name and text of the items of a root element.
fn texts(inside: &str) -> Option<Vec<(String, String)>> {
    let document = format!("<GDALMetadata>{inside}</GDALMetadata>");
    Some(items(document.as_bytes())?.into_iter().map(|[name, _, _, _, text]| (name, text)).collect())
}

#[test]
fn an_item_has_attributes_and_a_text() {
    let document = b"<?xml version=\"1.0\" encoding='UTF-16'?>\n<!-- c --><GDALMetadata>\n\
        <Item name=\"A\" sample=\"0\" role='scale' domain=\"d\"> 1 </Item>\n<Other name=\"B\">2</Other><Item/></GDALMetadata>\n";
    let expected = vec![["A", "0", "scale", "d", "1 "].map(str::to_owned), ["-"; 5].map(str::to_owned)];
    assert_eq!(items(document), Some(expected));
}

#[test]
fn texts_that_are_not_xml_are_accepted() {
    for (inside, name, text) in [
        // An unknown entity ends a text.
        ("<Item name=\"A\">1 & 2</Item>", "A", "1 "),
        ("<Item name=\"A&nbsp;B\">1&nbsp;</Item>", "A", "1"),
        ("<Item name=\"A&#65\">&#48;.&#x35;</Item>", "A", "0.5"),
        ("<Item name=\"A&lt;&GT;&amp;&apos;&quot;&#0;B\">1</Item>", "A<>&'\"B", "1"),
        ("<Item name=\"A\">\u{1}1\u{7f}</Item>", "A", "\u{1}1\u{7f}"),
        // The first of several equal attributes is used, and quotes may be missing.
        ("<Item name=\"A\" name=\"B\">1</Item>", "A", "1"),
        ("<Item name=A sample=0>1</Item>", "A", "1"),
        ("<iTEM NAME=\"A\">1</ITEM>", "A", "1"),
        ("< Item name = \"A\" >1</Item>", "A", "1"),
        // A child element is read as the attribute with its name.
        ("<Item><name>A</name></Item>", "A", "-"),
        ("<Item><!--name--><name>A</name></Item>", "-", "-"),
        // An item with several nodes has no text.
        ("<Item name=\"A\">1<!-- --></Item>", "A", "-"),
        ("<Item name=\"A\">1<b/></Item>", "A", "-"),
        ("<Item name=\"A\"><![CDATA[1&amp;]]></Item>", "A", "1&amp;"),
        ("<Item name=\"A\">1<![CDATA[2]]></Item>", "A", "-"),
        ("<Item name=\"A\">  </Item>", "A", "-"),
    ] {
        assert_eq!(texts(inside), Some(vec![(name.to_owned(), text.to_owned())]), "{inside}");
    }
}

#[test]
fn the_first_root_of_the_name_is_used() {
    let item = "<Item name=\"A\">1</Item>";
    let count = |document: &str| items(document.as_bytes()).map(|items| items.len());
    assert_eq!(count(&format!("<B>{item}</B><GDALMetadata>{item}{item}</GDALMetadata>")), Some(2));
    assert_eq!(count(&format!("<gdalmetadata/><GDALMetadata>{item}</GDALMetadata>")), Some(0));
    assert_eq!(count(&format!("<!--GDALMetadata--><GDALMetadata>{item}</GDALMetadata>")), Some(0));
    assert_eq!(count(&format!("text <GDALMetadata>{item}</GDALMetadata> text")), Some(1));
    assert_eq!(count(&format!("\u{feff}<GDALMetadata>{item}</GDALMetadata>\0<")), Some(1));
    assert_eq!(count(&format!("<B><GDALMetadata>{item}</GDALMetadata></B>")), Some(0));
    assert_eq!(count(&format!("<!DOCTYPE a [<!ENTITY b \">\">]><GDALMetadata>{item}</GDALMetadata>")), Some(1));
}

#[test]
fn documents_rejected_by_gdal_have_no_items() {
    for inside in [
        "<Item>",
        "</Item>",
        "<Item name=\"A\">1</Item",
        "<Item name=\"A>1</Item>",
        "<Item name>1</Item>",
        "<Item name=>1</Item>",
        "<Item \"A\">1</Item>",
        "<Item = \"A\">1</Item>",
        "<Item name=\"A\">1</Other>",
        "<Item><B></Item></B>",
        "<>",
        "</>",
        "<?xml version=\"1.0\">",
        "<Item ?>",
        "<!DOCTYPE",
        "<!DOCTYPE a [",
    ] {
        assert_eq!(texts(inside), None, "{inside}");
    }
}

#[test]
fn the_depth_of_elements_is_limited() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert_eq!(texts(&nested(9_999)), Some(Vec::new()));
    assert_eq!(texts(&nested(10_000)), None);
}

#[test]
fn time_is_proportional_to_the_document() {
    let attributes: String = (0..300_000).map(|at| format!(" a{at}=\"1\"")).collect();
    let document = format!("<GDALMetadata{attributes}><Item{attributes} name=\"A\">1</Item></GDALMetadata>");
    assert_eq!(items(document.as_bytes()).unwrap()[0][0], "A");
    for part in ["<!--", "<![CDATA[", "<!DOCTYPE a[", "&#", "&", "<a>", "<a></a>", "<Item name=", "\"", "<?"] {
        let document = "<GDALMetadata>".to_owned() + &part.repeat(300_000);
        assert_eq!(items(document.as_bytes()), None, "{part}");
    }
    assert_eq!(unescaped("&#1".repeat(1_000_000).as_bytes()), b"");
}
