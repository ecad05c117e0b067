// What is wrong with the page that is shown, as lines of text: things that hang over its edge, are cut off, are too
// small for a finger or too faint to read, and form fields without a name.
const wrong = [];
const root = document.documentElement;
const width = root.clientWidth;
const name = (element) => {
  const own = element.textContent.trim().slice(0, 30);
  return `<${element.localName} class="${element.getAttribute("class") ?? ""}"> ${own}`;
};
if (root.scrollWidth > width) wrong.push(`the page is ${root.scrollWidth} wide, its window ${width}`);

// [red, green, blue, alpha] of a computed colour.
const rgba = (text) => {
  const numbers = text.match(/[\d.]+/g).map(Number);
  return [...numbers.slice(0, 3), numbers[3] ?? 1];
};
const light = ([red, green, blue]) => {
  const part = (value) => {
    const share = value / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
};
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgba(getComputedStyle(at).backgroundColor);
    if (colour[3] === 1) return colour;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
};
const contrast = (element) => {
  const [one, other] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
};

for (const element of document.body.querySelectorAll("*")) {
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  if (box.width === 0 || box.height === 0 || style.visibility === "hidden") continue;
  // Drawings, and words for screen readers only.
  if (element.closest("svg") || style.clipPath !== "none") continue;
  if (box.left < -1 || box.right > width + 1) wrong.push(`over the edge: ${name(element)}`);
  const hides = style.overflowX !== "visible" && !element.matches("input, select");
  if (hides && element.scrollWidth > element.clientWidth + 1) wrong.push(`cut off: ${name(element)}`);
  const speaks = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== "");
  if (speaks && !element.closest("[aria-hidden]")) {
    const ratio = contrast(element);
    if (ratio < 4.5) wrong.push(`contrast of ${ratio.toFixed(2)}: ${name(element)}`);
    if (parseFloat(style.fontSize) < 12) wrong.push(`small print: ${name(element)}`);
  }
  if (element.matches("button, select, input:not([type=checkbox])") && box.height < 44) {
    wrong.push(`only ${box.height} high: ${name(element)}`);
  }
  if (element.matches("a") && box.height < 24) wrong.push(`only ${box.height} high: ${name(element)}`);
  // Whoever keeps passwords elsewhere brings them in this way.
  const paste = new ClipboardEvent("paste", { bubbles: true, cancelable: true });
  if (element.matches("input") && !element.dispatchEvent(paste)) wrong.push(`nothing can be pasted: ${element.name}`);
  if (element.matches("input, select") && element.labels.length === 0) {
    wrong.push(`no label: ${element.name}`);
  }
}
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one main heading");
if (!document.title) wrong.push("no title");
if (document.documentElement.lang === "") wrong.push("no language");
return wrong;
