// Brings the sample that was added into view, above the form that it came from.
(...values) => {
  const shown = document.querySelector('.studio-sample');
  setTimeout(() => shown?.scrollIntoView({ block: 'start', behavior: 'smooth' }), 300);
  return values;
}
