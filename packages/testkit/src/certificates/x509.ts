type X509 = typeof import('@peculiar/x509');

let loading: Promise<X509> | undefined;

/** The library that writes certificates. It takes a while to load, which is left to who needs a certificate. */
export function loadX509(): Promise<X509> {
  loading ??= (async () => {
    // The library keeps its schemas with this, and wants it loaded first.
    await import('reflect-metadata');
    return import('@peculiar/x509');
  })();
  return loading;
}
