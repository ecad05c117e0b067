# Reads "g ID" (a process group was started), "f ID" (it is gone: forget it) and "d PATH" (a folder to
# remove). When the writer dies, kills what is left, politely first so that shared memory is given back.
groups=" " folders=""
while read -r word rest; do
  case $word in
    g) groups="$groups$rest " ;;
    f) case $groups in *" $rest "*) groups="${groups%%" $rest "*} ${groups#*" $rest "}" ;; esac ;;
    d) folders="$folders
$rest" ;;
  esac
done
for group in $groups; do kill -s QUIT -- "$group"; done
[ "$groups" = "${groups#* [0-9]}" ] || sleep 1
for group in $groups; do kill -s KILL -- "-$group"; done
echo "$folders" | while read -r folder; do
  case $folder in */vestibule-*) rm -rf -- "$folder" ;; esac
done
