// Whether a person can see what has the focus: an outline that stands out, on something inside the window.
const element = document.activeElement;
const style = getComputedStyle(element);
const box = element.getBoundingClientRect();
const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
return { shown: element === document.body || (ring && inside), at: element.outerHTML.slice(0, 120), ring, inside };
