//! What operators do: rotate keys, watch, back up, read the guide.

mod rotation;
