"""Django: models, migrations of a database in memory, views, templates, forms, its test client."""

import django
from django import forms
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["testserver"], DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"], ROOT_URLCONF=__name__, SECRET_KEY="none",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db.models import Count, F, Q  # noqa: E402
from django.http import Http404, HttpResponse, JsonResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path, reverse  # noqa: E402

PAGE = """{% for group in groups %}{{ group.name|upper }}: {% for user in group.user_set.all %}{{ user.username }}\
{% if not forloop.last %}, {% endif %}{% empty %}-{% endfor %}
{% endfor %}{{ "<b>"|escape }}"""


class Search(forms.Form):
    word = forms.CharField(max_length=5)
    count = forms.IntegerField(min_value=1)


def groups(request):
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"groups": Group.objects.order_by("name")}))


def search(request, letter):
    form = Search(request.GET)
    if not form.is_valid():
        return JsonResponse(form.errors, status=400)
    found = User.objects.filter(Q(username__contains=form.cleaned_data["word"]) & Q(username__startswith=letter))
    if not found:
        raise Http404("none")
    return JsonResponse({"users": [user.username for user in found[:form.cleaned_data["count"]]]})


urlpatterns = [path("groups/", groups), path("search/<slug:letter>/", search, name="search")]


def main():
    call_command("migrate", verbosity=0)
    for g in range(4):
        group = Group.objects.create(name=f"group {g}")
        group.user_set.add(*(User.objects.create(username=f"u{g}x{u}", first_name=f"n{u}") for u in range(g * 2)))
    print(list(Group.objects.annotate(users=Count("user")).filter(users__gt=1).values_list("name", "users")))
    print(User.objects.filter(first_name="n1").update(last_name=F("username")), User.objects.get(pk=2).get_full_name())
    client = Client()
    print(client.get("/groups/").content.decode())
    for query in ("word=x1&count=2", "word=toolong&count=0", "word=y&count=1"):
        answer = client.get(f"{reverse('search', args=['u'])}?{query}")
        print(answer.status_code, answer.content[:60])


main()
