require('./application.cjs')(require('tidegate'));
