/*
 * A TLS 1.3 client (RFC 8446) without input and output, reduced to what a load generator needs to be lighter than any
 * server: one cipher suite (TLS_AES_128_GCM_SHA256), one group (X25519) with one key for all connections, resumption with
 * tickets. It makes sure that the server holds the keys (Finished), but looks at no certificate: it is good for nothing but
 * measuring.
 */
#ifndef TLS13_CLIENT_H
#define TLS13_CLIENT_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_BYTES SHA256_DIGEST_LENGTH
#define KEY_SHARE_BYTES 32
#define RECORD_HEADER_BYTES 5
#define TAG_BYTES 16
#define PLAIN_BYTES_MAX 16384
/* What a record adds to its contents: header, type of the contents, tag. */
#define RECORD_OVERHEAD (RECORD_HEADER_BYTES + 1 + TAG_BYTES)
/* Without padding, which no server of the comparison sends. */
#define RECORD_BYTES_MAX (PLAIN_BYTES_MAX + RECORD_OVERHEAD)
#define TRANSCRIPT_BYTES_MAX 16384
#define TICKET_BYTES_MAX 2048

enum record_type { RECORD_CHANGE_CIPHER_SPEC = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };
enum message_type {
  MESSAGE_CLIENT_HELLO = 1,
  MESSAGE_SERVER_HELLO = 2,
  MESSAGE_TICKET = 4,
  MESSAGE_EXTENSIONS = 8,
  MESSAGE_CERTIFICATE = 11,
  MESSAGE_CERTIFICATE_VERIFY = 15,
  MESSAGE_FINISHED = 20
};

/* Keys of one direction. */
struct traffic {
  EVP_CIPHER_CTX *cipher;
  uint8_t iv[12];
  uint64_t records;
};

/* What a session is resumed with. */
struct ticket {
  uint8_t key[HASH_BYTES], identity[TICKET_BYTES_MAX];
  size_t length; /* 0: there is none */
  uint32_t age_add;
  uint64_t received_ms;
};

struct tls_client {
  enum { EXPECT_SERVER_HELLO, EXPECT_FINISHED, SEND_FINISHED, OPEN } state;
  bool offered, resumed;
  struct traffic reading, writing;
  uint8_t early[HASH_BYTES], master[HASH_BYTES], resumption[HASH_BYTES];
  uint8_t client_secret[HASH_BYTES], server_secret[HASH_BYTES]; /* of the handshake, then of the data */
  uint8_t transcript[TRANSCRIPT_BYTES_MAX]; /* messages of the handshake, later those that follow it */
  size_t length, parsed;
  struct ticket ticket;
};

/* What came in a record. */
enum arrival { ARRIVED_NOTHING, ARRIVED_FINISHED, ARRIVED_DATA, ARRIVED_END };

static const uint8_t zeros[HASH_BYTES];
static EVP_PKEY *key_share;
static uint8_t key_share_public[KEY_SHARE_BYTES];

static void tls_fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static void must(bool worked, const char *what) {
  if (!worked) tls_fail(what);
}

static size_t read_number(const uint8_t *bytes, int length) {
  size_t value = 0;
  while (length-- > 0) value = value << 8 | *bytes++;
  return value;
}

static uint8_t *put_number(uint8_t *at, size_t value, int length) {
  for (int i = length - 1; i >= 0; i--) *at++ = (uint8_t)(value >> (8 * i));
  return at;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t length) {
  memcpy(at, bytes, length);
  return at + length;
}

/* Once, first. */
static void tls_set_up(void) {
  size_t length = sizeof key_share_public;
  EVP_PKEY_CTX *generator = EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, NULL);
  must(generator != NULL && EVP_PKEY_keygen_init(generator) == 1, "there is no X25519");
  must(EVP_PKEY_keygen(generator, &key_share) == 1, "no key was made");
  must(EVP_PKEY_get_raw_public_key(key_share, key_share_public, &length) == 1, "the key has no public part");
  EVP_PKEY_CTX_free(generator);
}

/* Key schedule: RFC 8446 section 7.1. */

static void hmac(const uint8_t key[HASH_BYTES], const uint8_t *bytes, size_t length, uint8_t result[HASH_BYTES]) {
  must(HMAC(EVP_sha256(), key, HASH_BYTES, bytes, length, result, NULL) != NULL, "HMAC failed");
}

/* HKDF-Expand-Label for at most one hash. */
static void expand(const uint8_t secret[HASH_BYTES], const char *label, const uint8_t *about, size_t about_length,
                   uint8_t *result, size_t length) {
  uint8_t info[2 + 1 + 32 + 1 + 255 + 1], full[HASH_BYTES];
  size_t label_length = strlen(label);
  uint8_t *at = put_number(info, length, 2);
  at = put_number(at, 6 + label_length, 1);
  at = put_bytes(at, "tls13 ", 6);
  at = put_bytes(at, label, label_length);
  at = put_number(at, about_length, 1);
  at = put_bytes(at, about, about_length);
  *at++ = 1; /* the number of the block */
  hmac(secret, info, (size_t)(at - info), full);
  memcpy(result, full, length);
}

/* Derive-Secret: of the messages given. */
static void derive(const uint8_t secret[HASH_BYTES], const char *label, const uint8_t *messages, size_t length,
                   uint8_t result[HASH_BYTES]) {
  uint8_t hash[HASH_BYTES];
  SHA256(messages, length, hash);
  expand(secret, label, hash, sizeof hash, result, HASH_BYTES);
}

/* The next stage of the schedule, from what both know. */
static void advance(const uint8_t secret[HASH_BYTES], const uint8_t input[HASH_BYTES], uint8_t result[HASH_BYTES]) {
  uint8_t salt[HASH_BYTES];
  derive(secret, "derived", zeros, 0, salt);
  hmac(salt, input, HASH_BYTES, result);
}

/* What a Finished with this secret says of the messages. */
static void finished_of(const uint8_t secret[HASH_BYTES], const uint8_t *messages, size_t length,
                        uint8_t result[HASH_BYTES]) {
  uint8_t key[HASH_BYTES], hash[HASH_BYTES];
  expand(secret, "finished", zeros, 0, key, sizeof key);
  SHA256(messages, length, hash);
  hmac(key, hash, sizeof hash, result);
}

/* Records: section 5. */

static void set_keys(struct traffic *traffic, const uint8_t secret[HASH_BYTES]) {
  uint8_t key[16];
  expand(secret, "key", zeros, 0, key, sizeof key);
  expand(secret, "iv", zeros, 0, traffic->iv, sizeof traffic->iv);
  traffic->records = 0;
  if (traffic->cipher == NULL) {
    traffic->cipher = EVP_CIPHER_CTX_new();
    must(traffic->cipher != NULL, "out of memory");
    must(EVP_CipherInit_ex(traffic->cipher, EVP_aes_128_gcm(), NULL, NULL, NULL, 1) == 1, "there is no AES-GCM");
  }
  must(EVP_CipherInit_ex(traffic->cipher, NULL, NULL, key, NULL, -1) == 1, "the key was refused");
}

static void begin_record(struct traffic *traffic, const uint8_t *header, int encrypt) {
  uint8_t nonce[sizeof traffic->iv];
  int length;
  memcpy(nonce, traffic->iv, sizeof nonce);
  for (int i = 0; i < 8; i++) nonce[4 + i] ^= (uint8_t)(traffic->records >> (56 - 8 * i));
  traffic->records++;
  must(EVP_CipherInit_ex(traffic->cipher, NULL, NULL, NULL, nonce, encrypt) == 1, "the nonce was refused");
  must(EVP_CipherUpdate(traffic->cipher, NULL, &length, header, RECORD_HEADER_BYTES) == 1, "the header was refused");
}

/* Writes a record with up to PLAIN_BYTES_MAX bytes, and says where it ends. */
static uint8_t *put_record(uint8_t *at, struct traffic *traffic, enum record_type type, const uint8_t *bytes,
                           size_t length) {
  uint8_t *body = at + RECORD_HEADER_BYTES, last = (uint8_t)type;
  int written;
  put_number(put_bytes(at, "\x17\x03\x03", 3), length + 1 + TAG_BYTES, 2);
  begin_record(traffic, at, 1);
  must(EVP_CipherUpdate(traffic->cipher, body, &written, bytes, (int)length) == 1, "nothing was encrypted");
  must(EVP_CipherUpdate(traffic->cipher, body + length, &written, &last, 1) == 1, "nothing was encrypted");
  must(EVP_CipherFinal_ex(traffic->cipher, body + length + 1, &written) == 1, "nothing was encrypted");
  uint8_t *tag = body + length + 1;
  must(EVP_CIPHER_CTX_ctrl(traffic->cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1, "there is no tag");
  return tag + TAG_BYTES;
}

/* Decrypts a record in place, after its header. @return the type of what is in it, and its length */
static enum record_type open_record(struct traffic *traffic, uint8_t *record, size_t size, size_t *length) {
  uint8_t *body = record + RECORD_HEADER_BYTES;
  int written;
  must(size >= RECORD_OVERHEAD, "the server sent a record that is too short");
  size_t contents = size - RECORD_HEADER_BYTES - TAG_BYTES;
  begin_record(traffic, record, 0);
  must(EVP_CipherUpdate(traffic->cipher, body, &written, body, (int)contents) == 1, "nothing was decrypted");
  must(EVP_CIPHER_CTX_ctrl(traffic->cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, body + contents) == 1 &&
           EVP_CipherFinal_ex(traffic->cipher, body + contents, &written) == 1,
       "a record of the server does not fit its keys");
  must(body[contents - 1] != 0, "the server pads its records");
  *length = contents - 1;
  return body[contents - 1];
}

/* The bytes of data in a record that is not looked at: for records that can hold nothing else. */
static size_t skip_record(struct tls_client *client, size_t size) {
  must(size >= RECORD_OVERHEAD, "the server sent a record that is too short");
  client->reading.records++;
  return size - RECORD_OVERHEAD;
}

/* Handshake: section 4. */

static uint8_t *put_extension(uint8_t *at, size_t type, const void *bytes, size_t length) {
  return put_bytes(put_number(put_number(at, type, 2), length, 2), bytes, length);
}

/* Offers the ticket; its binder is worked out when everything before it is there. */
static uint8_t *put_ticket(uint8_t *at, const struct ticket *ticket, uint64_t now_ms) {
  at = put_number(at, 41, 2);
  at = put_number(at, 2 + 2 + ticket->length + 4 + 2 + 1 + HASH_BYTES, 2);
  at = put_number(at, 2 + ticket->length + 4, 2);
  at = put_bytes(put_number(at, ticket->length, 2), ticket->identity, ticket->length);
  at = put_number(at, (uint32_t)(now_ms - ticket->received_ms) + ticket->age_add, 4);
  at = put_number(put_number(at, 1 + HASH_BYTES, 2), HASH_BYTES, 1);
  return at + HASH_BYTES;
}

static void put_binder(struct tls_client *client) {
  uint8_t key[HASH_BYTES];
  size_t before = client->length - HASH_BYTES - 1 - 2;
  derive(client->early, "res binder", zeros, 0, key);
  finished_of(key, client->transcript, before, client->transcript + client->length - HASH_BYTES);
}

/* Begins a connection. @param resume with the ticket that the last one has got. @return how long the record in `out` is */
static size_t tls_start(struct tls_client *client, bool resume, uint64_t now_ms, uint8_t *out) {
  static const uint8_t suites_and_no_compression[] = {0, 2, 0x13, 0x01, 1, 0};
  static const uint8_t version[] = {2, 0x03, 0x04}, group[] = {0, 2, 0, 0x1d}, psk_with_key_share[] = {1, 1};
  static const uint8_t signatures[] = {0, 2, 0x04, 0x03}; /* ecdsa_secp256r1_sha256 */
  uint8_t share[6 + KEY_SHARE_BYTES] = {0, 4 + KEY_SHARE_BYTES, 0, 0x1d, 0, KEY_SHARE_BYTES};
  uint8_t *hello = client->transcript, *at = hello + 4;
  must(!resume || client->ticket.length > 0, "the server gave no ticket");
  client->state = EXPECT_SERVER_HELLO;
  client->offered = resume;
  client->resumed = false;
  hmac(zeros, resume ? client->ticket.key : zeros, HASH_BYTES, client->early);
  at = put_number(at, 0x0303, 2);
  must(RAND_bytes(at, 32) == 1, "there is no randomness");
  at += 32;
  *at++ = 0; /* no session: nothing has to look like TLS 1.2 */
  at = put_bytes(at, suites_and_no_compression, sizeof suites_and_no_compression);
  uint8_t *extensions = at;
  at += 2;
  at = put_extension(at, 43, version, sizeof version);
  at = put_extension(at, 10, group, sizeof group);
  at = put_extension(at, 13, signatures, sizeof signatures);
  at = put_extension(at, 45, psk_with_key_share, sizeof psk_with_key_share);
  memcpy(share + 6, key_share_public, KEY_SHARE_BYTES);
  at = put_extension(at, 51, share, sizeof share);
  if (resume) at = put_ticket(at, &client->ticket, now_ms);
  put_number(extensions, (size_t)(at - extensions - 2), 2);
  client->length = client->parsed = (size_t)(at - hello);
  put_number(put_number(hello, MESSAGE_CLIENT_HELLO, 1), client->length - 4, 3);
  if (resume) put_binder(client);
  put_number(put_bytes(out, "\x16\x03\x01", 3), client->length, 2);
  memcpy(out + RECORD_HEADER_BYTES, hello, client->length);
  return RECORD_HEADER_BYTES + client->length;
}

static void agree(const uint8_t *share, uint8_t result[KEY_SHARE_BYTES]) {
  size_t length = KEY_SHARE_BYTES;
  EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, share, KEY_SHARE_BYTES);
  EVP_PKEY_CTX *agreement = EVP_PKEY_CTX_new(key_share, NULL);
  must(theirs != NULL && agreement != NULL, "out of memory");
  must(EVP_PKEY_derive_init(agreement) == 1, "there is no X25519");
  must(EVP_PKEY_derive_set_peer(agreement, theirs) == 1, "the server's key share is of no use");
  must(EVP_PKEY_derive(agreement, result, &length) == 1, "the server's key share is of no use");
  EVP_PKEY_CTX_free(agreement);
  EVP_PKEY_free(theirs);
}

/* The server's key share, and whether it resumes. */
static const uint8_t *parse_server_hello(struct tls_client *client, const uint8_t *body, const uint8_t *end) {
  const uint8_t *share = NULL, *at = body + 2 + 32 + 1;
  must(end - body > 40 && body[34] == 0 && read_number(at, 3) == 0x130100, "the server has chosen another cipher");
  for (at += 5; end - at >= 4;) {
    size_t type = read_number(at, 2), length = read_number(at + 2, 2);
    at += 4;
    must((size_t)(end - at) >= length, "the server's hello is cut off");
    if (type == 51 && length == 4 + KEY_SHARE_BYTES && read_number(at, 2) == 0x1d) share = at + 4;
    if (type == 41) client->resumed = true;
    at += length;
  }
  must(share != NULL, "the server has chosen another group");
  return share;
}

static void take_server_hello(struct tls_client *client, const uint8_t *body, const uint8_t *end) {
  uint8_t shared[KEY_SHARE_BYTES], handshake[HASH_BYTES];
  agree(parse_server_hello(client, body, end), shared);
  must(client->resumed == client->offered, "the server did not resume the session");
  advance(client->early, shared, handshake);
  derive(handshake, "c hs traffic", client->transcript, client->parsed, client->client_secret);
  derive(handshake, "s hs traffic", client->transcript, client->parsed, client->server_secret);
  advance(handshake, zeros, client->master);
  set_keys(&client->reading, client->server_secret);
  set_keys(&client->writing, client->client_secret);
  client->state = EXPECT_FINISHED;
}

/* @param before how many bytes of the transcript come before this message */
static void take_finished(struct tls_client *client, const uint8_t *body, const uint8_t *end, size_t before) {
  uint8_t expected[HASH_BYTES];
  finished_of(client->server_secret, client->transcript, before, expected);
  must(end - body == HASH_BYTES && memcmp(body, expected, HASH_BYTES) == 0, "the server's Finished is wrong");
  client->state = SEND_FINISHED;
}

static void take_ticket(struct tls_client *client, const uint8_t *body, const uint8_t *end, uint64_t now_ms) {
  struct ticket *ticket = &client->ticket;
  const uint8_t *nonce = body + 4 + 4 + 1;
  must(end - body > 9 && end - nonce > nonce[-1] + 2, "the server's ticket is cut off");
  const uint8_t *identity = nonce + nonce[-1] + 2;
  size_t length = read_number(identity - 2, 2);
  must((size_t)(end - identity) >= length && length <= TICKET_BYTES_MAX, "the server's ticket is cut off, or too long");
  ticket->age_add = (uint32_t)read_number(body + 4, 4);
  ticket->received_ms = now_ms;
  ticket->length = length;
  memcpy(ticket->identity, identity, length);
  expand(client->resumption, "resumption", nonce, nonce[-1], ticket->key, sizeof ticket->key);
}

static void take_message(struct tls_client *client, uint8_t *message, size_t length, uint64_t now_ms) {
  const uint8_t *body = message + 4, *end = message + length;
  enum message_type type = message[0];
  if (client->state == EXPECT_SERVER_HELLO && type == MESSAGE_SERVER_HELLO) {
    take_server_hello(client, body, end);
  } else if (client->state == EXPECT_FINISHED && type == MESSAGE_FINISHED) {
    take_finished(client, body, end, (size_t)(message - client->transcript));
  } else if (client->state == OPEN && type == MESSAGE_TICKET) {
    take_ticket(client, body, end, now_ms);
  } else {
    bool passed_over = type == MESSAGE_EXTENSIONS || type == MESSAGE_CERTIFICATE || type == MESSAGE_CERTIFICATE_VERIFY;
    must(client->state == EXPECT_FINISHED && passed_over, "the server sent a message out of turn");
  }
}

/* Messages may come several in a record, and in parts. */
static void take_messages(struct tls_client *client, const uint8_t *bytes, size_t length, uint64_t now_ms) {
  must(length <= sizeof client->transcript - client->length, "the server's handshake is too long");
  memcpy(client->transcript + client->length, bytes, length);
  client->length += length;
  while (client->length - client->parsed >= 4) {
    uint8_t *message = client->transcript + client->parsed;
    size_t message_length = 4 + read_number(message + 1, 3);
    if (client->length - client->parsed < message_length) return;
    client->parsed += message_length;
    take_message(client, message, message_length, now_ms);
  }
  if (client->state == OPEN && client->parsed == client->length) client->parsed = client->length = 0;
}

/* Takes a whole record, decrypting in place; with ARRIVED_DATA there are `length` bytes after its header. */
static enum arrival tls_take(struct tls_client *client, uint8_t *record, size_t size, uint64_t now_ms, size_t *length) {
  enum record_type type = record[0];
  uint8_t *body = record + RECORD_HEADER_BYTES;
  *length = size - RECORD_HEADER_BYTES;
  if (type == RECORD_DATA && client->state != EXPECT_SERVER_HELLO) {
    type = open_record(&client->reading, record, size, length);
  }
  if (type == RECORD_HANDSHAKE) {
    take_messages(client, body, *length, now_ms);
    return client->state == SEND_FINISHED ? ARRIVED_FINISHED : ARRIVED_NOTHING;
  }
  if (type == RECORD_DATA && client->state == OPEN) return ARRIVED_DATA;
  if (type == RECORD_CHANGE_CIPHER_SPEC && client->state == EXPECT_FINISHED) return ARRIVED_NOTHING; /* of no meaning */
  if (type == RECORD_ALERT && *length == 2 && body[1] == 0) return ARRIVED_END;
  if (type == RECORD_ALERT && *length == 2) fprintf(stderr, "alert %d: ", body[1]);
  tls_fail("the server sent a record out of turn");
  return ARRIVED_NOTHING;
}

/* After ARRIVED_FINISHED: our Finished, and from then on the keys for data. @return where the record ends */
static uint8_t *tls_finish(struct tls_client *client, uint8_t *at) {
  uint8_t message[4 + HASH_BYTES], data_secret[HASH_BYTES];
  const uint8_t *transcript = client->transcript;
  put_number(put_number(message, MESSAGE_FINISHED, 1), HASH_BYTES, 3);
  finished_of(client->client_secret, transcript, client->length, message + 4);
  at = put_record(at, &client->writing, RECORD_HANDSHAKE, message, sizeof message);
  derive(client->master, "s ap traffic", transcript, client->length, data_secret);
  set_keys(&client->reading, data_secret);
  derive(client->master, "c ap traffic", transcript, client->length, data_secret);
  set_keys(&client->writing, data_secret);
  must(client->length + sizeof message <= sizeof client->transcript, "the server's handshake is too long");
  memcpy(client->transcript + client->length, message, sizeof message);
  derive(client->master, "res master", transcript, client->length + sizeof message, client->resumption);
  client->length = client->parsed = 0;
  client->state = OPEN;
  return at;
}

static uint8_t *tls_put_end(struct tls_client *client, uint8_t *at) {
  static const uint8_t close_notify[] = {1, 0};
  return put_record(at, &client->writing, RECORD_ALERT, close_notify, sizeof close_notify);
}

#endif
