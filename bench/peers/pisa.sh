#!/usr/bin/env bash
# Builds the three programs of PISA that bench/peers/sparse.sh runs, without its cmake project, which wants a dozen more submodules.
#   bench/peers/pisa.sh CHECKOUT
# CHECKOUT is a clone of PISA with these submodules under external/: FastPFor, streamvbyte, MaskedVByte, QMX, simdcomp, mio,
# KrovetzStemmer, Porter2. Wants Debian's libboost-dev libspdlog-dev libfmt-dev librange-v3-dev libtbb-dev libgumbo-dev
# nlohmann-json3-dev libcli11-dev. The programs are left in CHECKOUT/build.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: bench/peers/pisa.sh CHECKOUT" >&2; exit 2; }
cd "$1"
mkdir -p build
external=external
sed "s|@[^@]*@|$PWD|" include/pisa/pisa_config.hpp.in >include/pisa/pisa_config.hpp
includes=(-Iinclude -Iinclude/pisa -I$external)
for library in FastPFor/headers streamvbyte/include MaskedVByte/include QMX/include simdcomp/include mio/include KrovetzStemmer/include Porter2/include; do
    includes+=("-I$external/$library")
done
for library in streamvbyte:streamvbyte streamvbyte:streamvbytedelta MaskedVByte:varintdecode MaskedVByte:varintencode simdcomp:simdbitpacking simdcomp:simdcomputil; do
    gcc -O3 -march=native -w "-I$external/${library%%:*}/include" -c "$external/${library%%:*}/src/${library##*:}.c" -o "build/c_${library##*:}.o"
done
for source in bitpacking bitpackingaligned bitpackingunaligned simdbitpacking simdunalignedbitpacking horizontalbitpacking; do
    g++ -O3 -march=native -w "-I$external/FastPFor/headers" -c "$external/FastPFor/src/$source.cpp" -o "build/f_$source.o"
done
sources=(src/{bit_vector,bit_vector_builder,block_inverted_index,compress,cow_string,io,linear_quantizer,memory_source,progress,query,string,temporary_directory,term_map,text_analyzer,text_filter,token_filter,token_stream,tokenizer}.cpp src/codec/*.cpp src/query/*.cpp src/util/*.cpp
    tools/{app,compress_inverted_index,create_wand_data,queries}.cpp $external/KrovetzStemmer/include/KrovetzStemmer/KrovetzStemmer.cpp $external/Porter2/src/Porter2.cpp)
# Its other file pulls in the parsers of web archives; this is all that the programs need of it.
cat >build/sharding.cpp <<'SHARDING'
#include "sharding.hpp"
#include "type_safe.hpp"
namespace pisa { std::string expand_shard(std::string_view name, Shard_Id shard) { return std::string(name) + "." + std::to_string(shard.as_int()); } }
SHARDING
for source in "${sources[@]}" build/sharding.cpp; do
    g++ -O3 -march=native -std=c++20 -DNDEBUG -DBOOST_NO_CXX98_FUNCTION_BASE=1 -DSPDLOG_FMT_EXTERNAL -w "${includes[@]}" -c "$source" -o "build/$(basename "$source" .cpp).o"
done
for program in compress_inverted_index create_wand_data queries; do
    objects=$(ls build/*.o | grep -vE '/(compress_inverted_index|create_wand_data|queries)\.o$')
    g++ -o "build/$program" "build/$program.o" $objects -ltbb -lspdlog -lfmt -lgumbo -lpthread
done
