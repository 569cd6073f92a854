/** Tokens and lists in header fields (RFC 9110 section 5.6). */

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether `text` is a token: letters, digits and a few signs, at least one (RFC 9110 section 5.6.2). */
export function isToken(text: string): boolean {
  return token.test(text);
}

/** The elements of a comma-separated field, trimmed, without the empty ones. None when there is no field. */
export function listOf(header: string | undefined): string[] {
  if (header === undefined) return [];
  return header
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** Whether a comma-separated field has `name` (in lower case) among its elements, in whatever case. */
export function listNames(header: string | undefined, name: string): boolean {
  return listOf(header).some((element) => element.toLowerCase() === name);
}
