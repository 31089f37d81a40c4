#!/usr/bin/env node
// In the repository the program is built after the package managers have linked its name; so the name leads here.
import '../dist/cli.js';
