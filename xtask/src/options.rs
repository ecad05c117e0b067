//! The table of options in the documents, made from the defaults that are compiled in, whose comments explain them.

/// What the document says before the table.
const OPENING: &str = "\
# Configuration

Every option with its default. This page is made from [config.default.toml](../config.default.toml) by
`cargo xtask options`; change it there.

Put what you change into `vestibule.toml` where the server starts (or the file that `VESTIBULE_CONFIG` names), or into the
environment, which wins. Lists are separated by commas there. With `_FILE` behind its name, an environment variable names
a file that holds the value. An unknown option is refused, not ignored, and `vestibule config check` names everything that
is wrong at once.

| option | default | environment | what it is |
| --- | --- | --- | --- |
";

/// The whole document.
pub fn document(defaults: &str) -> String {
    let mut document = OPENING.to_owned();
    let (mut section, mut remark) = (String::new(), Vec::new());
    let mut lines = defaults.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(text) = line.strip_prefix('#') {
            remark.push(text.trim().to_owned());
        } else if line.is_empty() {
            // What stands alone is about the file.
            remark.clear();
        } else if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
            remark.clear();
        } else if let Some((key, value)) = line.split_once('=') {
            let mut value = value.trim().to_owned();
            while value.starts_with('[') && !value.ends_with(']') {
                let Some(more) = lines.next() else { break };
                value.push_str(more.trim());
            }
            let option = format!("{section}{}", key.trim());
            let variable = option.to_ascii_uppercase().replace('.', "__");
            let shown = if value == "\"\"" { "empty".to_owned() } else { format!("`{value}`") };
            let remark = std::mem::take(&mut remark).join(" ").replace('|', "\\|");
            document.push_str(&format!("| `{option}` | {shown} | `VESTIBULE_{variable}` | {remark} |\n"));
        }
    }
    document
}
