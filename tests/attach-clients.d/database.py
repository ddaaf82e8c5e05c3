"""SQLAlchemy: models, relations, sessions, events, errors of the database."""

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


tagged = sa.Table("tagged", Base.metadata, sa.Column("book", sa.ForeignKey("book.id")),
                  sa.Column("tag", sa.ForeignKey("tag.id")))


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)
    pages: Mapped[int]
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")
    tags: Mapped[list["Tag"]] = relationship(secondary=tagged)

    @hybrid_property
    def is_long(self):
        return self.pages > 250


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]


def main():
    engine = sa.create_engine("sqlite://")
    statements = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2].split()[0]))
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        tags = [Tag(word=word) for word in ("old", "new", "red")]
        for a in range(20):
            author = Author(name=f"author {a}")
            author.books = [Book(title=f"book {a}.{b}", pages=100 + a * b * 3, tags=tags[: (a + b) % 4]) for b in range(8)]
            session.add(author)
        session.commit()
        query = (sa.select(Author.name, sa.func.count(), sa.func.max(Book.pages)).join(Author.books)
                 .where(Book.is_long).group_by(Author.id).having(sa.func.count() > 2).order_by(Author.id))
        for row in session.execute(query):
            print(*row)
        loaded = session.scalars(sa.select(Author).options(selectinload(Author.books).selectinload(Book.tags))).all()
        print(sum(len(book.tags) for author in loaded for book in author.books))
        session.delete(loaded[0])
        loaded[1].books.pop()
        session.commit()
        print(session.scalar(sa.select(sa.func.count()).select_from(Book)))
        session.add(Book(title="book 5.5", pages=1, author=loaded[5]))
        try:
            session.commit()
        except sa.exc.IntegrityError as error:
            print(type(error).__name__, error.orig)
            session.rollback()
    print({word: statements.count(word) for word in sorted(set(statements))})


main()
