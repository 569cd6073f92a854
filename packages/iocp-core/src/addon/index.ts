/**
 * Finding and loading the native addon of a package. Importing this loads none.
 * @packageDocumentation
 */

export { AddonError, type AddonLocation, loadAddon } from './load-addon.js';
