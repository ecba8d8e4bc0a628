"""What tests ask a page, in the language of browsers."""

from __future__ import annotations

OPEN_EVERYTHING = "document.querySelectorAll('details').forEach(each => { each.open = true })"
REACHABLE = "a[href], summary, [tabindex='0']"
FOCUS = """
const at = document.activeElement;
const every = [...document.querySelectorAll(arguments[0])];
const style = getComputedStyle(at), box = at.getBoundingClientRect();
return {
  index: every.indexOf(at), tag: at.tagName, open: at.tagName == 'SUMMARY' && at.parentElement.open,
  seen: style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 0,
  inside: box.bottom > 0 && box.top < innerHeight,
}
"""
CONTRASTS = """
const channels = colour => colour.match(/[0-9.]+/g).map(Number);
const luminance = ([red, green, blue]) => {
  const [r, g, b] = [red, green, blue].map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = element => {
  for (let at = element; at; at = at.parentElement) {
    const found = channels(getComputedStyle(at).backgroundColor);
    if (found.length == 3 || found[3] == 1) return found;
  }
};
const told = {};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  const pair = [channels(getComputedStyle(element).color), ground(element)].map(luminance).sort((a, b) => a - b);
  const ratio = (pair[1] + 0.05) / (pair[0] + 0.05), name = element.tagName.toLowerCase();
  told[name] = Math.min(told[name] ?? 99, ratio);
}
return told;
"""
