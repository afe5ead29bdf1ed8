// SPDX-License-Identifier: MIT
// A table whose columns sort: text goes in as text, never as markup, since names come from the cluster.

const PAGE = 200; // rows; 8,192 pods would make the page slow

export class Table {
  // columns: [{title, number, value(row) for sorting, text(row), kind(row) for a class}]; `key(row)` tells rows apart.
  constructor(element, columns) {
    Object.assign(this, { element, columns, by: 0, down: false, rows: [], limit: PAGE });
    const head = element.createTHead().insertRow();
    for (const [i, column] of columns.entries()) {
      const cell = document.createElement('th');
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = column.title;
      button.addEventListener('click', () => this.sort(i));
      cell.scope = 'col';
      cell.className = column.number ? 'number' : '';
      cell.append(button);
      head.append(cell);
    }
    this.body = element.createTBody();
    this.mark();
  }

  sort(i) {
    this.down = this.by === i ? !this.down : Boolean(this.columns[i].number);
    this.by = i;
    this.mark();
    this.draw();
  }

  mark() {
    for (const [i, cell] of [...this.element.tHead.rows[0].cells].entries()) {
      if (i === this.by) cell.setAttribute('aria-sort', this.down ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    }
  }

  show(rows) {
    this.rows = rows;
    this.draw();
  }

  more() {
    this.limit += PAGE;
    this.draw();
  }

  get hidden() {
    return Math.max(0, this.rows.length - this.limit);
  }

  draw() {
    const { value } = this.columns[this.by];
    const order = this.rows.slice().sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null || y === null) return (x === null) - (y === null); // what is not known comes last
      return (typeof x === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true })) * (this.down ? -1 : 1);
    }).slice(0, this.limit);
    while (this.body.rows.length > order.length) this.body.deleteRow(-1);
    order.forEach((row, i) => {
      const line = this.body.rows[i] || this.body.insertRow();
      this.columns.forEach((column, j) => {
        const cell = line.cells[j] || line.insertCell();
        const text = column.text(row);
        if (cell.textContent !== text) cell.textContent = text;
        cell.className = [column.number ? 'number' : '', column.kind ? column.kind(row) : ''].join(' ').trim();
      });
    });
  }
}
