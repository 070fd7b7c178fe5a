// What follows the view in the address: "#/history/ITEM".
() => [decodeURIComponent(location.hash.split('/')[2] || '')]
