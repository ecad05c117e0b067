//! A step's fields as the template needs them: which control, which keyboard, which note belongs to which field.

use minijinja::{Value, context};

use crate::contract::{Field, FieldKind, Step, Text, Tone};

/// The id of a field's control.
pub(super) fn id(field: &Field) -> String {
    format!("f-{}", field.name)
}

/// All fields of a step; `listed` says whether what is wrong is listed above them; `say` gives a text as HTML, `plain`
/// without markup.
pub(super) fn draw(
    step: &Step,
    listed: bool,
    say: &dyn Fn(&Text) -> Value,
    plain: &dyn Fn(&Text) -> Value,
) -> Vec<Value> {
    // Where what is wrong is listed, the list has the focus.
    let focus = focus(step).filter(|_| !listed);
    let last = step.fields.iter().rposition(|field| typed(field.kind));
    let one = |(at, field): (usize, &Field)| {
        let choices = field.choices.iter().map(|choice| {
            let chosen = field.value.as_deref() == Some(choice.value.as_str());
            context! { value => choice.value.as_str(), label => plain(&choice.label), chosen }
        });
        context! {
            id => id(field),
            name => field.name.as_str(),
            control => control(field.kind),
            // A host and its port share a line.
            half => half(&step.fields, at),
            inputmode => inputmode(field.kind),
            // Whether the browser may correct and capitalise.
            prose => field.kind == FieldKind::Text && field.autocomplete.is_none(),
            enterkeyhint => if Some(at) == last { "go" } else { "next" },
            label => say(&field.label),
            value => field.value.as_deref().filter(|_| !field.kind.is_secret()),
            checked => field.value.as_deref() == Some("yes"),
            help => field.help.as_ref().map(say),
            error => field.error.as_ref().map(say),
            describedby => described(field, focus == Some(at) && refused(step)),
            required => field.required,
            autocomplete => field.autocomplete.as_deref(),
            autofocus => focus == Some(at) && field.kind != FieldKind::Long,
            choices => choices.collect::<Vec<_>>(),
        }
    };
    step.fields.iter().enumerate().map(one).collect()
}

/// The ids of what a screen reader says along with the field.
fn described(field: &Field, with_notice: bool) -> String {
    let id = id(field);
    let notes = [
        with_notice.then(|| "notice".to_owned()),
        field.error.is_some().then(|| format!("{id}-error")),
        field.help.is_some().then(|| format!("{id}-help")),
    ];
    notes.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn refused(step: &Step) -> bool {
    step.notice.as_ref().is_some_and(|notice| notice.tone == Tone::Refused)
}

/// The first field with an error, else the first empty one that is typed into, else the only one when what it holds
/// was refused.
fn focus(step: &Step) -> Option<usize> {
    let fields = &step.fields;
    let only = || (refused(step) && fields.len() == 1 && typed(fields[0].kind)).then_some(0);
    let empty =
        |field: &Field| field.kind.is_secret() || field.value.as_deref().unwrap_or_default().is_empty();
    fields
        .iter()
        .position(|field| field.error.is_some())
        .or_else(|| fields.iter().position(|field| typed(field.kind) && field.required && empty(field)))
        .or_else(only)
}

fn typed(kind: FieldKind) -> bool {
    !matches!(kind, FieldKind::Checkbox | FieldKind::Select)
}

fn control(kind: FieldKind) -> &'static str {
    match kind {
        // An address is no `type=email`: browsers refuse there what mail systems accept (non-Latin local parts).
        FieldKind::Text
        | FieldKind::Email
        | FieldKind::Host
        | FieldKind::Port
        | FieldKind::Phone
        | FieldKind::Code => "input",
        FieldKind::Long => "textarea",
        FieldKind::Password => "password",
        FieldKind::Checkbox => "checkbox",
        FieldKind::Select => "select",
    }
}

fn inputmode(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Email => "email",
        FieldKind::Host => "url",
        FieldKind::Port | FieldKind::Code => "numeric",
        FieldKind::Phone => "tel",
        _ => "text",
    }
}

fn half(fields: &[Field], at: usize) -> &'static str {
    let kind = |at: usize| fields.get(at).map(|field| field.kind);
    match kind(at) {
        Some(FieldKind::Host) if kind(at + 1) == Some(FieldKind::Port) => "host",
        Some(FieldKind::Port) if at > 0 && kind(at - 1) == Some(FieldKind::Host) => "port",
        _ => "",
    }
}
