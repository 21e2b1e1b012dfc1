/** Builds elements from names, attributes and children. Text always goes in as text, so nothing in a figure can be markup. */

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) made.setAttribute(key, String(value));
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function fill(id, ...children) {
  document.getElementById(id).replaceChildren(...children.flat());
}

/** A table from a head and rows; the first cell of each row is its heading. */
export function table(head, rows) {
  return element('table', {},
    element('thead', {}, element('tr', {}, head.map((cell) => element('th', { scope: 'col' }, cell)))),
    element('tbody', {}, rows.map(([heading, ...cells]) =>
      element('tr', {}, element('th', { scope: 'row' }, heading), cells.map((cell) => element('td', {}, cell))))));
}
