// A click on a heading sorts the rows of a table by its column; published rows and totals stay where they are.
document.querySelectorAll('th button').forEach(button => button.addEventListener('click', () => {
  const heading = button.parentElement, row = heading.parentElement, table = row.closest('table');
  const column = [...row.children].indexOf(heading);
  const descending = heading.getAttribute('aria-sort') !== 'descending';
  [...row.children].forEach(other => other.removeAttribute('aria-sort'));
  heading.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
  const rows = [...table.tBodies[0].rows].filter(row => row.dataset.sort !== 'no');
  const value = row => row.cells[column].dataset.value ?? '';
  const places = rows.map(row => { const mark = document.createComment(''); row.before(mark); return mark; });
  rows.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === '' || y === '') return (x === '') - (y === '');
    const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return descending ? -order : order;
  });
  places.forEach((mark, index) => mark.replaceWith(rows[index]));
}));
// The buttons above a list of documents choose which are shown.
document.querySelectorAll('.filter button').forEach(button => button.addEventListener('click', () => {
  const group = button.parentElement;
  group.querySelectorAll('button').forEach(other => other.setAttribute('aria-pressed', other === button));
  group.parentElement.querySelectorAll('details').forEach(one => {
    one.hidden = button.value !== 'all' && one.dataset.right !== button.value;
  });
}));
