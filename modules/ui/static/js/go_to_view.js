// Opens the view whose id is given, if any.
view => { if (view) location.hash = `#/${view}`; return []; }
