element.addEventListener('studio-select', event => trigger('select', event.detail));
