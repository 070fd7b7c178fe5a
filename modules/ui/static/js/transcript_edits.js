element.addEventListener('studio-correct', event => trigger('select', { kind: 'word', ...event.detail }));
element.addEventListener('studio-name', event => trigger('select', { kind: 'name', ...event.detail }));
