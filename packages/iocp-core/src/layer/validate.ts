/** Checks of arguments, with Node's codes and wording, so that callers learn at once what is wrong and where. */

import { inspect } from 'node:util';

type CodedError = Error & { code: string };

function withCode<E extends Error>(error: E, code: string): E & { code: string } {
  return Object.assign(error, { code });
}

/** For messages: the value as people would write it, cut to a bearable length. */
function received(value: unknown): string {
  if (value === null || value === undefined) return `Received ${value}`;
  if (typeof value === 'function') return `Received function ${value.name}`;
  const shown = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
  const text = shown.length > 60 ? `${shown.slice(0, 60)}...` : shown;
  return typeof value === 'object' ? `Received ${text}` : `Received type ${typeof value} (${text})`;
}

function nounOf(name: string): string {
  return name.includes('.') ? 'property' : 'argument';
}

/**
 * `ERR_INVALID_ARG_TYPE`.
 * @param name the argument as the caller knows it, for example `options.signal`
 * @param expected what it must be, for example `of type function`
 */
export function invalidArgumentType(name: string, expected: string, value: unknown): CodedError {
  const message = `The "${name}" ${nounOf(name)} must be ${expected}. ${received(value)}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_TYPE');
}

/** `ERR_INVALID_ARG_VALUE`: the right type, but not a value that makes sense. */
export function invalidArgumentValue(name: string, value: unknown, reason = 'is invalid'): CodedError {
  const message = `The ${nounOf(name)} '${name}' ${reason}. ${received(value)}`;
  return withCode(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
}

/** `ERR_OUT_OF_RANGE`. */
export function outOfRange(name: string, range: string, value: unknown): CodedError {
  const message = `The value of "${name}" is out of range. It must be ${range}. ${received(value)}`;
  return withCode(new RangeError(message), 'ERR_OUT_OF_RANGE');
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is a function. */
export function validateFunction(
  value: unknown,
  name: string,
): asserts value is (...values: never[]) => unknown {
  if (typeof value !== 'function') throw invalidArgumentType(name, 'of type function', value);
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is an object; arrays and null are not. */
export function validateObject(value: unknown, name: string): asserts value is object {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw invalidArgumentType(name, 'of type object', value);
  }
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is a boolean. */
export function validateBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgumentType(name, 'of type boolean', value);
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is a string. */
export function validateString(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalidArgumentType(name, 'of type string', value);
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is an array. */
export function validateArray(value: unknown, name: string): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw invalidArgumentType(name, 'an instance of Array', value);
}

/** Throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE` unless `value` is a whole number between `min` and `max`. */
export function validateInteger(
  value: unknown,
  name: string,
  min: number = Number.MIN_SAFE_INTEGER,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw invalidArgumentType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} && <= ${max}`, value);
}

/** Throws `ERR_INVALID_ARG_VALUE` unless `value` is one of `allowed`. */
export function validateOneOf<T>(value: unknown, name: string, allowed: readonly T[]): asserts value is T {
  if (!allowed.includes(value as T)) {
    const list = allowed.map((each) => (typeof each === 'string' ? `'${each}'` : String(each))).join(', ');
    throw invalidArgumentValue(name, value, `must be one of: ${list}`);
  }
}

/**
 * A port number as Node takes it: a whole number, or a string holding one, from 0 (`min`) to 65535.
 * Throws `ERR_SOCKET_BAD_PORT`.
 * @returns the port as a number
 */
export function validatePort(value: unknown, name = 'port', min = 0): number {
  const isText = typeof value === 'string' && value.trim() !== '';
  const port = isText || typeof value === 'number' ? Number(value) : Number.NaN;
  if (Number.isInteger(port) && port >= min && port <= 65535) return port;
  const message = `${name} should be >= ${min} and < 65536. ${received(value)}.`;
  throw withCode(new RangeError(message), 'ERR_SOCKET_BAD_PORT');
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is an `AbortSignal`. */
export function validateSignal(value: unknown, name = 'options.signal'): asserts value is AbortSignal {
  if (value === null || typeof value !== 'object' || !('aborted' in value)) {
    throw invalidArgumentType(name, 'an instance of AbortSignal', value);
  }
}

/** Throws `ERR_INVALID_ARG_TYPE` unless `value` is a `Uint8Array` (a `Buffer` is one). */
export function validateBytes(value: unknown, name: string): asserts value is Uint8Array {
  if (value instanceof Uint8Array) return;
  // A Uint8Array of another realm (a vm context) is as good.
  if (Object.prototype.toString.call(value) === '[object Uint8Array]') return;
  throw invalidArgumentType(name, 'an instance of Uint8Array', value);
}
