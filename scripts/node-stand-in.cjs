// Preloaded by scripts/test-arm64.mjs: whoever starts "this Node.js" again starts the program that stands for it.
process.execPath = process.env.IOCP_TEST_NODE;
